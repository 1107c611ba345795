"""Answers that a plain text claims: by a letter, announced or not, or by an option's text."""
