"""Evaluation runs: methods asked the same questions, in a terminal or as a process of their own."""
