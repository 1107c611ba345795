"""Answers over HTTP: for a client that waits for the whole of one, and for one that watches it being made."""
