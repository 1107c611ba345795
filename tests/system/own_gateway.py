"""A gateway of a test's own beside the stack's models: it can be killed, its records can be lost, and it has keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx

from tests.support.keys import bearer, keys_at
from tests.system.conftest import ROOT
from tests.system.own_service import OwnService

SAMPLE = ROOT / "services/gateway/static/samples/ultrasound.png"


class Models(Protocol):
    """Services that a gateway asks."""

    def url(self, service: str) -> str:
        """Where the policy or the downstream service is."""
        ...


class OwnGateway(OwnService):
    """A gateway whose registry and records lie in a folder of its own.

    Args:
        stack: Whose policy and downstream service it asks.
        folder: For registry, records, keys and log.
        records: Its database; by default a file in the folder.
        settings: Further settings, in the environment's names without the prefix; they go before its own.
    """

    def __init__(
        self, stack: Models, folder: Path, records: str | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.registry, self.file = folder / "registry", folder / "records" / "records.db"
        self.key = keys_at(folder / "keys.json")["admin"]
        self.records = records or f"sqlite:///{self.file}"
        own = {
            "POLICY_URL": stack.url("policy"),
            "DOWNSTREAM_URL": f"{stack.url('downstream')}/v1",
            "API_KEYS": str(folder / "keys.json"),
            "MONITOR_EVERY_S": "0.2",
            # In PostgreSQL there is no place for one that the gateway makes.
            **({"RECORD_HASH_SECRET": "0123456789abcdef" * 4} if records else {}),
            **self.places,
            **(settings or {}),
        }
        super().__init__("gateway", folder, own)

    @property
    def places(self) -> dict[str, str]:
        """Its places to keep things in, as its settings have them."""
        return {"REGISTRY": str(self.registry), "RECORDS_URL": self.records}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands on its machine."""
        return {f"TRUSTVQA_GATEWAY_{key}": value for key, value in self.places.items()} | {"TRUSTVQA_API_KEY": self.key}

    def get(self, path: str) -> Any:
        return httpx.get(f"{self.url}{path}", headers=bearer(self.key), timeout=30).raise_for_status().json()

    def ask(self, method: str = "verbalized") -> dict[str, Any]:
        """Ask the sample question."""
        options = ["Round", "Oval", "Spiculated", "Ring-shaped"]
        reply = httpx.post(
            f"{self.url}/vqa",
            data={"question": "What shape are the findings?", "options": options, "method": method},
            files={"image": SAMPLE.read_bytes()},
            headers=bearer(self.key),
            timeout=60,
        )
        body: dict[str, Any] = reply.raise_for_status().json()
        return body

    def say(self, answer: str, *, right: bool) -> None:
        """Give feedback."""
        said = {"who": "dr. x", "right": right}
        httpx.post(
            f"{self.url}/vqa/{answer}/feedback", json=said, headers=bearer(self.key), timeout=30
        ).raise_for_status()
