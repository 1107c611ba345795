"""Tests of the examples that other trainers load."""
