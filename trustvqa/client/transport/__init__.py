"""Requests to a gateway within a deadline, and again where that may help."""
