"""Worth of further worker processes to a gateway."""
