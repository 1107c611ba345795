"""Tests of the benchmark of open questions."""
