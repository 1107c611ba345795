"""Where runs' work is done: a child process, a container, a Kubernetes Job."""
