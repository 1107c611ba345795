"""Training of each part, and the fast decoding that it needs."""
