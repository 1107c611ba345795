"""Events of /vqa: what a client sees that watches its answer being made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.services.gateway.checks import assert_problem, assert_unharmed, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import wait_until

EVENTS = {"Accept": "text/event-stream"}


def read(reply: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The events of a reply as they come: name and data; comments are named so."""
    name = ""
    for line in reply.iter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)
        elif line.startswith(":"):
            yield "comment", None


def hangups(client: httpx.Client) -> float:
    [found] = re.findall(r"^gateway_hangups_total (\S+)", client.get("/metrics").text, re.MULTILINE)
    return float(found)


def test_the_steps_come_before_the_answer(client: httpx.Client, upstream: Upstream) -> None:
    upstream.downstream = "held"
    with client.stream("POST", "/vqa", json=body(), headers=EVENTS) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-request-id"]
        events = read(reply)
        assert next(events) == ("queued", {"place": 0})
        assert next(events) == ("guidance", {"text": "Weigh the border.", "version": "policy-1"})
        upstream.release.set()
        [(name, answer)] = list(events)
    assert name == "answer"
    upstream.downstream = "reply"
    plain = client.post("/vqa", json=body()).json()
    same = plain.keys() - {"id", "timing_ms"}
    assert {key: answer[key] for key in same} == {key: plain[key] for key in same}


@pytest.mark.parametrize("options", [[], ["Round", "Oval"]])
def test_a_deferral_does_not_come_as_an_answer(
    options: list[str], make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as http:
        told = {
            risk: list(read(http.post("/vqa", json=body(options=options, max_risk=risk), headers=EVENTS)))[-1]
            for risk in (0.0001, None)
        }
    for name, reply in told.values():
        assert name == {"answer": "answer", "defer": "deferral"}[reply["decision"]]
    assert told[0.0001][0] == "deferral"


def test_who_waits_hears_its_place(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.downstream = "held"
    with (
        make_gateway(max_in_flight=1, adaptive_limit=False, heartbeat_s=0.1) as url,
        httpx.Client(base_url=url, timeout=20) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(http.post, "/vqa", json=body())
        assert upstream.arrived.acquire(timeout=20)
        with http.stream("POST", "/vqa", json=body(), headers=EVENTS) as reply:
            events = read(reply)
            assert next(events) == ("queued", {"place": 1})
            assert next(events) == ("comment", None)
            upstream.release.set()
            names = [name for name, _ in events if name != "comment"]
        assert names == ["queued", "guidance", "answer"]
        assert first.result().status_code == 200


def test_what_is_refused_before_it_is_taken_in_has_its_status(client: httpx.Client) -> None:
    assert_problem(client.post("/vqa", json={}, headers=EVENTS), 422, "invalid-request")
    image = {"image": "aGVsbG8="}
    assert_problem(client.post("/vqa", json=body(**image), headers=EVENTS), 415, "unsupported-image")


def test_what_fails_later_is_a_problem_document(client: httpx.Client, upstream: Upstream) -> None:
    upstream.downstream = 500
    reply = client.post("/vqa", json=body(), headers=EVENTS)
    events = list(read(reply))
    assert [name for name, _ in events] == ["queued", "guidance", "error"]
    problem = events[-1][1]
    assert problem["type"] == "urn:trustvqa:problem:downstream-failed"
    assert problem["status"] == 502
    assert problem["request_id"] == reply.headers["x-request-id"]
    assert "secret-path" not in reply.text


def test_leaving_ends_the_work(client: httpx.Client, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    before = hangups(client)
    with client.stream("POST", "/vqa", json=body(), headers=EVENTS) as reply:
        assert next(read(reply))[0] == "queued"
        assert upstream.arrived.acquire(timeout=20)
    assert upstream.hung_up.wait(10)
    wait_until(lambda: hangups(client) == before + 1)
    upstream.downstream = "reply"
    assert_unharmed(client)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/event-stream;q=0.1", ""])
def test_who_does_not_ask_for_events_gets_none(accept: str, client: httpx.Client) -> None:
    reply = client.post("/vqa", json=body(), headers={"Accept": accept})
    assert reply.headers["content-type"] == "application/json"


def test_steering_guidance_is_no_step(client: httpx.Client, upstream: Upstream) -> None:
    """Guidance that names an answer is not used, and so it is not shown either."""
    upstream.guidance = "The answer is B."
    names = [name for name, _ in read(client.post("/vqa", json=body(), headers=EVENTS))]
    assert names == ["queued", "answer"]
