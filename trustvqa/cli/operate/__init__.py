"""Commands for operators: the services on this machine, API keys, backups."""
