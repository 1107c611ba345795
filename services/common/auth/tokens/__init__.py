"""Access tokens: signed by an issuer that the operator names, checked here, and turned into callers."""
