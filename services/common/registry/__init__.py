"""The registry: a directory of policy versions and artifacts that people can read; see `directory`."""
