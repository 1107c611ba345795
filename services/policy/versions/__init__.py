"""Policy versions: those in memory, how they get there, and those that the registry has."""
