"""Commands for operators: the services on this machine, API keys, backups."""

SERVICES = ("gateway", "policy", "downstream", "trainer")
