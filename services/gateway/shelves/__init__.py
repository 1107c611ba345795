"""The registry's artifacts, kept in memory and in step with its files."""
