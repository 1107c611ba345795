"""What the registry holds for the gateway, kept in memory and in step with its files."""
