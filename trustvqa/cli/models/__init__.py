"""Commands for what makes answers trustworthy: policies, calibrators, guards, reference inputs."""
