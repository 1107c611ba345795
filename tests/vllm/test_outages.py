"""vLLM servers that die, come back, and are ended: what clients are told, and that nothing else need be restarted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from prompt4trust.questions import Question
from tests.support.waiting import wait_until
from tests.vllm.conftest import FIRST, MODEL, Servers, Stack, ask, ready
from tests.vllm.servers import VllmServer

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.xdist_group("vllm")]


@pytest.fixture
def engine(stack: Stack, servers: Servers) -> VllmServer:
    """The server of the live policy version, running, as is the downstream model's."""
    servers.downstream.start()
    live = httpx.get(f"{stack.policy}/v1/policies").json()["active"]
    server = servers.first if live == FIRST else servers.second
    server.start()
    return server


def test_answers_go_on_without_the_policy_s_server_and_stop_without_the_model_s_until_they_are_back(
    stack: Stack, servers: Servers, engine: VllmServer, questions: Sequence[Question]
) -> None:
    question = questions[0]
    before = ask(stack, question).json()
    assert before["degraded"] == []
    assert ready(stack)[0] == 200

    engine.kill()
    without = ask(stack, questions[1])  # guidance that the gateway keeps is told for two seconds more
    assert without.status_code == 200
    assert without.json()["degraded"] == ["policy"]
    assert without.json()["guidance_prompt"] is None
    assert without.json()["calibration"]["calibrated"] is True
    assert "verbalized" in without.json()["calibration"]["calibrator"]
    status, dependencies = ready(stack)
    assert (status, dependencies["policy"]["ok"], dependencies["downstream"]["ok"]) == (200, False, True)
    policy = httpx.get(f"{stack.policy}/health/ready", timeout=30)
    assert policy.status_code == 503
    assert "no model server has it" in policy.json()["dependencies"]["policy"]["detail"]

    # What runs the model dies alone: the server notices within seconds and ends, for whoever restarts it.
    servers.downstream.kill_engine()
    wait_until(lambda: servers.downstream.process.poll() is not None, 120)
    refused = ask(stack, question)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["type"].endswith("downstream-unavailable")
    status, dependencies = ready(stack)
    assert (status, dependencies["downstream"]["ok"]) == (503, False)
    assert httpx.get(f"{stack.gateway}/health/live").status_code == 200

    for server in (servers.downstream, engine):
        server.begin()
    for server in (servers.downstream, engine):
        server.wait_ready()
    wait_until(lambda: ask(stack, question).json().get("degraded") == [], 60)
    after = ask(stack, question).json()
    for changing in ("id", "timing_ms", "usage"):
        del before[changing], after[changing]
    assert after == before
    assert ready(stack)[0] == 200


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def test_at_sigterm_the_downstream_service_finishes_what_it_has_begun(
    stack: Stack, servers: Servers, pool: ThreadPoolExecutor
) -> None:
    servers.downstream.start()
    begun = [threading.Event() for _ in range(2)]

    def body(tokens: int) -> dict[str, Any]:
        messages = [{"role": "user", "content": "Write on."}]
        return {"model": MODEL, "messages": messages, "ignore_eos": True, "max_tokens": tokens}

    def read(started: threading.Event) -> tuple[int, str]:
        """Read a long reply as it is written; its number of tokens, and why it ended."""
        asked = {**body(400), "stream": True, "stream_options": {"include_usage": True}}
        tokens, reason = 0, ""
        with httpx.stream("POST", f"{stack.downstream}/chat/completions", json=asked, timeout=120) as reply:
            assert reply.status_code == 200
            for line in reply.iter_lines():
                if not line.startswith("data: {"):
                    continue
                started.set()
                part = json.loads(line.removeprefix("data: "))
                reason = next((each["finish_reason"] for each in part["choices"] if each["finish_reason"]), reason)
                tokens = (part.get("usage") or {}).get("completion_tokens", tokens)
        return tokens, reason

    replies = [pool.submit(read, each) for each in begun]
    for each in begun:
        assert each.wait(60)
    servers.downstream.terminate()
    wait_until(lambda: "mode=drain" in servers.downstream.output(), 30)
    with suppress(httpx.TransportError):  # it may have ended by then
        assert httpx.post(f"{stack.downstream}/chat/completions", json=body(1), timeout=120).status_code >= 500
    for reply in replies:
        assert reply.result() == (400, "length")
    assert servers.downstream.process.wait(120) == 0
