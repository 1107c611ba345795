"""What a training run waits for: rewards, evaluation and steps, beside doing one thing after another."""
