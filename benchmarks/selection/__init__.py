"""Promises of selection: how often they are kept, and their cost."""
