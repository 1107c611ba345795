"""How many held-out answers a calibrator needs."""
