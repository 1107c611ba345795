"""Whether questions that are unlike the calibration data are told from those that are like it."""
