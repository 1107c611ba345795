"""Servers that refuse log-probabilities, or ignore that they are asked for: answers go on, and say so."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from prompt4trust.models import Generation, Sampling, TransportError
from prompt4trust.prompts import Message
from services.common.clients.errors import LogprobsRefusedError
from services.gateway.answering.tolerant_downstream import TolerantDownstream
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream


def ask(client: httpx.Client) -> dict[str, Any]:
    reply = client.post("/vqa", json=body(method="cgp+logprob"))
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def refusals(client: httpx.Client) -> float:
    match = re.search(r"^gateway_logprobs_refused_total (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert match
    return float(match[1])


def test_where_they_are_refused_the_answer_is_that_of_the_method_without_and_says_so(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    upstream.downstream = "refuses-logprobs"
    with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as client:
        without = client.post("/vqa", json=body(method="cgp")).json()
        upstream.asked.clear()
        upstream.guided.clear()
        reply = ask(client)
        assert reply["degraded"] == ["logprobs"]
        assert reply["calibration"]["calibrated"] is True
        assert reply["calibration"]["calibrator"] == "platt-cgp"
        for same in ("answer", "confidence", "calibration", "decision", "guidance_prompt"):
            assert reply[same] == without[same]
        first, second = upstream.asked
        assert first.pop("logprobs") is True
        assert first.pop("top_logprobs") == 20
        assert first == second
        assert len(upstream.guided) == 1
        assert refusals(client) == 1

        # It is remembered: the next question costs one request.
        assert ask(client)["degraded"] == ["logprobs"]
        assert len(upstream.asked) == 3
        assert refusals(client) == 1
        assert 'gateway_degraded_total{without="logprobs"} 2.0' in client.get("/metrics").text


def test_after_the_pause_they_are_asked_for_again(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.downstream = "refuses-logprobs"
    with make_gateway(logprobs_pause_s=0) as url, httpx.Client(base_url=url, timeout=20) as client:
        ask(client)
        ask(client)
        assert [bool(each.get("logprobs")) for each in upstream.asked] == [True, False, True, False]
        assert refusals(client) == 2


def test_a_server_that_ignores_the_wish_is_asked_once(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = ask(client)
        assert (reply["degraded"], reply["calibration"]["calibrator"]) == (["logprobs"], "platt-cgp")
        assert len(upstream.asked) == 1
        assert refusals(client) == 0


@pytest.mark.parametrize("status", [400, 403, 422])
def test_another_refusal_stays_one(make_gateway: MakeGateway, upstream: Upstream, status: int) -> None:
    upstream.downstream = status
    with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = client.post("/vqa", json=body(method="cgp+logprob"))
        assert reply.status_code == 502
        assert reply.json()["type"].endswith(":downstream-failed")
        assert len(upstream.asked) == 1


async def test_a_refusal_that_the_request_without_them_meets_too_is_not_remembered() -> None:
    wishes: list[int | None] = []

    class Refusing:
        async def complete(
            self, messages: list[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
        ) -> Generation:
            wishes.append(top_logprobs)
            if top_logprobs is not None:
                raise LogprobsRefusedError(400)
            raise TransportError("downstream", "it replied with status 400", status=400)

    refused: list[int] = []
    model = TolerantDownstream(Refusing(), 60, lambda: refused.append(1), lambda: 5.0)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(TransportError, match="status 400"):
            await model.complete([], Sampling(), top_logprobs=5)
    assert wishes == [5, None, 5, None]
    assert len(refused) == 2
