"""OpenAPI documents of all services: what they refer to is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings
from services.policy.app import policy_app
from services.policy.settings import PolicySettings
from services.trainer.app import trainer_app
from services.trainer.settings import TrainerSettings


@pytest.fixture(params=["gateway", "policy", "downstream", "trainer"])
def document(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    place: dict[str, Any] = {"registry": tmp_path / "registry"}
    apps: dict[str, Any] = {
        "gateway": lambda: create_gateway(GatewaySettings(records_url="", **place)),
        "policy": lambda: policy_app(PolicySettings(**place)),
        "downstream": lambda: downstream_app(DownstreamSettings(**place)),
        "trainer": lambda: trainer_app(TrainerSettings(runs=tmp_path / "runs", **place)),
    }
    app = apps[request.param]()
    assert isinstance(app, FastAPI)
    return app.openapi()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(found := value.get("$ref"), str):
            yield found
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert document["paths"]
    for reference in set(references(document)):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]
