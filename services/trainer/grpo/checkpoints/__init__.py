"""Checkpoints: sealed, tried on the validation split, chosen among, and published."""
