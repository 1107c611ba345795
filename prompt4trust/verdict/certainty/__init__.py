"""A model's own words of certainty: where it says how sure it is, and what they are worth as a score."""
