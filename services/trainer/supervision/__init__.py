"""Supervision of runs: planned, queued, started in their turn, watched, and accounted for."""
