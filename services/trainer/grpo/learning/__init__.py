"""The learning itself: configuration, rewards, and TRL's GRPOTrainer set up for both."""
