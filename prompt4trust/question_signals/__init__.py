"""Signals that say something of a question itself, whatever was answered: their names, and what they are made of."""
