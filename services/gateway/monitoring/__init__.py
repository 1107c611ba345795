"""Monitoring of calibrated confidence on reviewed answers: figures, a test, alarms, and their page."""
