"""Doubts: sentences that take a verdict back, and words that make a number none of the model's confidence."""
