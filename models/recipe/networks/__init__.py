"""The miniature networks: configurations, tokenizer, and the forward pass of training."""
