"""Connections to the records' database: opened, brought up to date, held for a time with a bound."""
