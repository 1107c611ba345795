"""Training of the projector, of answers and of stated confidence, from cached features of frozen vision."""
