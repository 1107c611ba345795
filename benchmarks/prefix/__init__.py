"""The gain of vLLM's prefix cache on this project's prompts, and of their order."""
