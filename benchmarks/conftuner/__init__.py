"""ConfTuner's loss on the shipped downstream model: what it states before and after, on the same held-out questions."""
