"""Rewards compared: the same start, questions and steps, and the policies that come of them on held-out questions."""
