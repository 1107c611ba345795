"""Confidences beside each other: this project's methods and those of other packages, on the same questions."""
