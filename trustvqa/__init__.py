"""The command line, the reports and the client: what people type, read and import."""
