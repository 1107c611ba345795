"""What a client sends becomes a checked question and a safe picture."""
