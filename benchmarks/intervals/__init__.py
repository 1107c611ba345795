"""Benchmark of intervals: the share of samples in which they hold the value that they are of."""
