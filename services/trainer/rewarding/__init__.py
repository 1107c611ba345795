"""Rewards by HTTP, for trainers elsewhere: they send attempts, and get their rewards with the parts."""
