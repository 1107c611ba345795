"""Prometheus metrics of API keys: `api_key_refusals`, `api_keys` and `api_keys_file_ok`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.common.auth.keyring import Keyring


class AuthenticationMetrics:
    """Counts of refused requests, and the state of the keys.

    Args:
        registry: The registry that they belong to.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refusals = Counter("api_key_refusals", "Requests refused for their key.", ("reason",), registry=registry)
        self.in_force = Gauge("api_keys", "Keys that are taken.", registry=registry)
        self.file_ok = Gauge("api_keys_file_ok", "Whether the file of keys could be read (1).", registry=registry)

    def follow(self, keyring: Keyring) -> None:
        """Report a keyring's state."""
        self.in_force.set_function(lambda: keyring.in_force)
        self.file_ok.set_function(lambda: float(keyring.problem is None))
