"""The registry: a directory of policy versions, calibrators, guards and references that people can read."""
