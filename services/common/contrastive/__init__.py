"""Contrastive vision-language models: read from disk, and tuned to few labels by CalibPrompt (arXiv 2509.15226)."""
