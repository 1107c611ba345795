"""The four services' OpenAPI documents; `python -m tests.support.openapi_documents` stores them where a test looks."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings
from services.policy.app import policy_app
from services.policy.settings import PolicySettings
from services.trainer.app import trainer_app
from services.trainer.settings import TrainerSettings
from tests.support.keys import keys_at

SERVICES = ("gateway", "policy", "downstream", "trainer")
STORED = Path(__file__).resolve().parents[1] / "services" / "openapi"


def application(service: str, place: Path, *, with_keys: bool = True) -> FastAPI:
    """A service's application, of which nothing is started."""
    given: dict[str, Any] = {"registry": place / "registry"}
    if with_keys:
        given["api_keys"] = place / "keys.json"
        if not given["api_keys"].exists():
            keys_at(given["api_keys"])
    match service:
        case "gateway":
            return create_gateway(GatewaySettings(records_url="", **given))
        case "policy":
            return policy_app(PolicySettings(**given))
        case "downstream":
            return downstream_app(DownstreamSettings(**given))
        case _:
            return trainer_app(TrainerSettings(runs=place / "runs", **given))


def stored_form(document: dict[str, Any]) -> str:
    """A document as it is stored."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def store() -> None:
    """Store the documents."""
    with tempfile.TemporaryDirectory() as place:
        for service in SERVICES:
            document = application(service, Path(place)).openapi()
            (STORED / f"{service}.json").write_text(stored_form(document), encoding="utf-8")


if __name__ == "__main__":
    store()
