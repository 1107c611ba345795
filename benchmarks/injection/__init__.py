"""Prompt injection: what texts in question, options, picture and metadata do to answers and promises."""
