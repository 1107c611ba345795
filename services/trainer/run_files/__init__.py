"""Files of a run that everybody reads: its record, its events, its progress."""
