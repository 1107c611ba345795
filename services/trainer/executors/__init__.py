"""Executors of runs: a child process, a container, a Kubernetes Job."""
