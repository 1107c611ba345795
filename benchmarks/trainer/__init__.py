"""Waiting times of a training run: rewards, evaluation and steps, beside doing one thing after another."""
