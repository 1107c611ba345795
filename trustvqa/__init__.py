"""The command line and the reports: all that people type and read."""
