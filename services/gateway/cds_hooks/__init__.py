"""CDS Hooks 2.0: a record system asks by its own standard, gets cards, and sends back what became of them."""
