"""Calls by the library instructor, which lives in an environment of its own."""
