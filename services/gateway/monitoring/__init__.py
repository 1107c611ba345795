"""Whether calibrated confidence holds on the answers that people reviewed: figures, a test, alarms, and their page."""
