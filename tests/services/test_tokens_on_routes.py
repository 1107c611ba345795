"""Bad tokens on every route of every service: all are refused, before anything behind the authenticator runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.common.auth import Right
from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings
from services.policy.app import policy_app
from services.policy.settings import PolicySettings
from services.trainer.app import trainer_app
from services.trainer.settings import TrainerSettings
from tests.services.common.auth.tokens.bad_tokens import BAD, made
from tests.services.common.auth.tokens.issuer import Issuer, serving_issuer
from tests.services.test_who_may_ask import SERVICES, rules
from tests.support.keys import bearer

SCOPES = {right: f"trustvqa:{right}" for right in Right}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serving_issuer() as found:
        yield found


def application(service: str, issuer: Issuer, place: Path) -> FastAPI:
    given: dict[str, Any] = {"registry": place / "registry", **issuer.settings}
    return {
        "gateway": lambda: create_gateway(GatewaySettings(records_url="", **given)),
        "policy": lambda: policy_app(PolicySettings(**given)),
        "downstream": lambda: downstream_app(DownstreamSettings(**given)),
        "trainer": lambda: trainer_app(TrainerSettings(**given)),
    }[service]()


@pytest.mark.parametrize("service", SERVICES)
async def test_no_route_of_any_service_lets_a_bad_token_in(service: str, issuer: Issuer, tmp_path: Path) -> None:
    app = application(service, issuer, tmp_path)
    transport = httpx.ASGITransport(app)  # no lifespan: whatever got past would find nothing to work with
    bad = {case: made(issuer, case) for case in BAD}
    asked = 0
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        for rule in rules(app):
            if not rule.access:
                continue
            path = re.sub(r"\{[^}]*\}", "x", rule.path)
            for method in sorted((rule.methods or {"GET"}) - {"HEAD"}):
                for case, token in bad.items():
                    reply = await http.request(method, path, headers=bearer(token))
                    assert reply.status_code == 401, (method, path, case)
                    assert reply.headers["content-type"] in ("application/problem+json", "application/json")
                    assert reply.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
                for right in Right:
                    if right is Right.ADMIN or rule.access <= {right}:
                        continue
                    reply = await http.request(method, path, headers=bearer(issuer.token(SCOPES[right])))
                    assert reply.status_code == 403, (method, path, right)
                    assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]
                asked += 1
    assert asked >= 4


@pytest.mark.parametrize("service", SERVICES)
async def test_a_good_token_is_let_in_where_its_scopes_allow_it(service: str, issuer: Issuer, tmp_path: Path) -> None:
    app = application(service, issuer, tmp_path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        for path, right in (("/openapi.json", Right.ASK), ("/metrics", Right.METRICS)):
            assert (await http.get(path, headers=bearer(issuer.token(SCOPES[right])))).status_code == 200
            assert (await http.get(path, headers=bearer(issuer.token(SCOPES[Right.ADMIN])))).status_code == 200
