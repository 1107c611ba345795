"""The audit log: how long a large one takes to be proved."""
