"""Tuning runs: a context of a contrastive model is tuned by CalibPrompt and published as a model to serve."""
