"""The audit log: who did what and when, in a chain that cannot be changed unnoticed without its key."""
