"""Guidance: begun ahead, kept for the next time, and what is read while it is being written."""
