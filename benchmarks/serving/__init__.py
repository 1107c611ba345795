"""Shared parts of benchmarks of running services: services and stand-ins that are started, and somebody who asks."""
