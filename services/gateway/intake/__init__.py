"""Intake: a request becomes a checked question and a safe picture."""
