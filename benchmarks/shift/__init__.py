"""Separation of questions unlike the calibration data from those like it."""
