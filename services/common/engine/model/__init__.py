"""The model as the scheduler uses it: prompts, forward passes, keys and values."""
