"""From logits to text: sampling, random numbers, detokenising, stop strings."""
