"""Requests on their way through the engine: queue, running batch, results."""
