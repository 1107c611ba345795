"""Requests that nobody wrote: schemathesis asks the running services what their OpenAPI documents allow and forbid."""
