"""Shared parts of all services: settings, errors, health, telemetry, HTTP clients, the registry."""
