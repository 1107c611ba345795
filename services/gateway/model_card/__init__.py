"""The live pair's model card: made from what the registry and the settings hold, with nothing invented."""
