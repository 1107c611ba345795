"""Clients' pictures, decoded where they cannot hurt: in a few processes, bounded in memory and time."""
