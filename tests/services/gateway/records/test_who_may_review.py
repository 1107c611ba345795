"""Who may review: whoever has a key for it; without keys, who sits at the machine."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at

SAID = {"who": "Dr. A", "right": True}


def test_without_keys_reviews_come_from_this_machine(client: httpx.Client, upstream: Upstream) -> None:
    assert client.get("/v1/about").json()["takes_feedback"] is True
    answer = client.post("/vqa", json=body()).json()["id"]
    own = f"http://{client.base_url.netloc.decode()}"
    assert client.post(f"/vqa/{answer}/feedback", json=SAID).status_code == 201
    assert client.post(f"/vqa/{answer}/feedback", json=SAID, headers={"Origin": own}).status_code == 201


@pytest.mark.parametrize("forwarded", ["ward.example", "ward.example:8080"])
def test_a_proxy_s_clients_are_not_at_this_machine(
    make_gateway: MakeGateway, upstream: Upstream, forwarded: str
) -> None:
    with make_gateway(allowed_hosts={"ward.example"}) as url, httpx.Client(base_url=url, timeout=20) as client:
        answer = client.post("/vqa", json=body()).json()["id"]
        headers = {"Host": forwarded}
        assert client.get("/v1/about", headers=headers).json()["takes_feedback"] is False
        refused = client.post(f"/vqa/{answer}/feedback", json=SAID, headers=headers)
        assert_problem(refused, 403, "feedback-closed")


def test_a_proxy_that_names_loopback_is_told_by_what_it_adds(client: httpx.Client, upstream: Upstream) -> None:
    answer = client.post("/vqa", json=body()).json()["id"]
    headers = {"X-Forwarded-Proto": "https"}
    assert client.get("/v1/about", headers=headers).json()["takes_feedback"] is False
    assert_problem(client.post(f"/vqa/{answer}/feedback", json=SAID, headers=headers), 403, "feedback-closed")


def test_with_keys_a_key_decides(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", app="ask", ward=("feedback", "ask"))
    with make_gateway(api_keys=tmp_path / "keys.json") as url, httpx.Client(base_url=url, timeout=20) as client:
        for name, takes in (("app", False), ("ward", True)):
            about = client.get("/v1/about", headers=bearer(keys[name])).json()
            assert about["takes_feedback"] is takes
