"""Answers in time while more is asked than the models answer: of this gateway and of one with a fixed gate."""
