"""Number of held-out answers that a calibrator needs."""
