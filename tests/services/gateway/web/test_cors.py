"""Pages of other sites: those that a setting names may ask, and nobody else's may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings
from tests.services.gateway.chat.chats import chat_body
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at

APP = "https://app.example:8443"
OTHER = "https://app.example"


@pytest.fixture(scope="module")
def url(make_gateway: MakeGateway) -> Iterator[str]:
    """Without keys: the rules of Host and Origin hold."""
    with make_gateway(cors_origins=[APP]) as url:
        yield url


@pytest.fixture
def http(url: str, upstream: Upstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as http:
        yield http


def preflight(http: httpx.Client, origin: str, method: str = "POST") -> httpx.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    return http.options("/v1/chat/completions", headers={"Origin": origin, **asked})


def test_a_page_that_is_named_may_ask(http: httpx.Client) -> None:
    allowed = preflight(http, APP)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == APP
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert "x-stainless-os" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed.headers
    for path, asked in (("/vqa", body()), ("/v1/chat/completions", chat_body())):
        reply = http.post(path, json=asked, headers={"Origin": APP})
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == APP
        assert "X-Request-Id" in reply.headers["access-control-expose-headers"]
        assert "Origin" in reply.headers["vary"]
    refused = http.post("/vqa", json={}, headers={"Origin": APP})
    assert refused.status_code == 422
    assert refused.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize("origin", [OTHER, "https://app.example:8443.evil.example", "http://app.example:8443", "null"])
def test_no_other_page_may(origin: str, http: httpx.Client, upstream: Upstream) -> None:
    refused = preflight(http, origin)
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
    reply = http.post("/vqa", json=body(), headers={"Origin": origin})
    assert_problem(reply, 403, "foreign-origin")
    assert "access-control-allow-origin" not in reply.headers
    assert upstream.asked == []


def test_administration_is_for_no_page(http: httpx.Client) -> None:
    reply = http.get("/v1/calibrators", headers={"Origin": APP})
    assert_problem(reply, 403, "administration-closed")


def test_by_default_there_is_none(client: httpx.Client) -> None:
    assert preflight(client, APP).status_code == 405
    assert "access-control-allow-origin" not in client.get("/v1/models", headers={"Origin": APP}).headers


def test_with_keys_its_scripts_show_one(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    texts = keys_at(tmp_path / "keys.json", user=["ask"])
    with make_gateway(api_keys=tmp_path / "keys.json", cors_origins=[APP]) as url, httpx.Client(base_url=url) as http:
        assert preflight(http, APP).status_code == 200
        without = http.post("/vqa", json=body(), headers={"Origin": APP})
        assert_problem(without, 401, "key-required")
        assert without.headers["access-control-allow-origin"] == APP
        signed_in = {"Origin": APP, "Cookie": f"trustvqa_key={texts['user']}", "Sec-Fetch-Site": "cross-site"}
        assert http.post("/vqa", json=body(), headers=signed_in).status_code == 401
        assert http.post("/vqa", json=body(), headers={"Origin": APP, **bearer(texts["user"])}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["*", "https://*.example", "https://app.example/", "app.example", "null", "https://App.example", ""]
)
def test_an_origin_that_is_none_stops_the_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        GatewaySettings(cors_origins=frozenset({origin}))
