"""The gateway shows each of its models the key that is meant for it."""

from __future__ import annotations

import httpx

from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MakeGateway
from tests.support.openai_app import ScriptedServer
from tests.support.servers import running


def test_the_gateway_shows_each_model_its_key(make_gateway: MakeGateway) -> None:
    server = ScriptedServer()
    with running(server.app) as url:
        keys = {"policy_api_key": "key-of-policy", "downstream_api_key": "key-of-downstream"}
        with make_gateway(policy_url=url, downstream_url=f"{url}/v1", **keys) as gateway:
            httpx.post(f"{gateway}/vqa", json=body(), timeout=20).raise_for_status()
            httpx.get(f"{gateway}/health/ready", timeout=20)
    assert {shown for shown in server.shown if shown[0].startswith("/v1/")} == {
        ("/v1/cgp", "Bearer key-of-policy"),
        ("/v1/models", "Bearer key-of-downstream"),
        ("/v1/chat/completions", "Bearer key-of-downstream"),
    }
