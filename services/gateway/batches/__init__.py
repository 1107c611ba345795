"""Batches: a stream of questions, a line each, and a stream of their answers."""
