"""What records cost answers."""
