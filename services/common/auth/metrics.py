"""Prometheus metrics of who may ask: `api_key_refusals`, `api_keys` and the like, and `issuer_keys` of tokens."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from services.common.auth.keyring import Keyring
from services.common.auth.tokens.issuer_keys import IssuerKeys
from services.common.metrics_registry import MetricsRegistry


class AuthenticationMetrics:
    """Counts of refused requests, and the state of the keys.

    Args:
        registry: The registry that they belong to.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self.refusals = Counter(
            "api_key_refusals", "Requests refused for their key or token.", ("reason",), registry=registry
        )
        self.readings = Counter(
            "issuer_keys_readings", "Readings of the public keys of issuers of tokens.", ("outcome",), registry=registry
        )
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

    def follow_issuer(self, keys: IssuerKeys) -> None:
        """Report the state of the public keys of the issuer of tokens."""
        in_force = Gauge(
            "issuer_keys",
            "Public keys of the issuer of tokens that count; 0 where all tokens are refused.",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        age = Gauge(
            "issuer_keys_age_seconds",
            "Time since the issuer's keys were read; -1 where they never were.",
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._registry.follow(in_force, lambda: keys.count)
        self._registry.follow(age, lambda: -1.0 if keys.age_s is None else keys.age_s)

    def note_reading(self, succeeded: bool) -> None:
        """Count a reading of an issuer's keys."""
        self.readings.labels("read" if succeeded else "failed").inc()
