"""Prometheus metrics of API keys: `api_key_refusals`, `api_keys` and `api_keys_file_ok`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from services.common.auth.keyring import Keyring
from services.common.metrics_registry import MetricsRegistry


class AuthenticationMetrics:
    """Counts of refused requests, and the state of the keys.

    Args:
        registry: The registry that they belong to.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self.refusals = Counter("api_key_refusals", "Requests refused for their key.", ("reason",), registry=registry)
        self._registry = registry
        self.in_force = Gauge("api_keys", "Keys that are taken.", registry=registry, multiprocess_mode="livemin")
        self.file_ok = Gauge(
            "api_keys_file_ok",
            "Whether the file of keys could be read (1).",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def follow(self, keyring: Keyring) -> None:
        """Report a keyring's state."""
        self._registry.follow(self.in_force, lambda: keyring.in_force)
        self._registry.follow(self.file_ok, lambda: float(keyring.problem is None))
