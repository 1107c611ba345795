"""Other packages' scores and fits, made by a Python of their own, as answers that are measured as ours are."""

from benchmarks.confidence.peers.answers import checked, fits, scored, scores

__all__ = ["checked", "fits", "scored", "scores"]
