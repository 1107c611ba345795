"""SQLite's side of the records: its file, who writes to it, and in which order."""
