"""Commands that put questions to a running gateway."""
