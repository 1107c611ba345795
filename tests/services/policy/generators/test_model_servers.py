"""Versions on model servers that come, go and change places."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.responses import JSONResponse

from prompt4trust.models import Sampling, TransportError
from prompt4trust.prompts import guide_messages, load_template
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.policy.generators.model_servers import ModelServers, RemoteGenerator
from services.policy.settings import PolicySettings
from tests.services.policy.conftest import ModelServer, Serve, get, model_serving, post
from tests.services.policy.test_cgp import QUESTION, problem
from tests.support.habits import HabitsServer
from tests.support.servers import free_port, running
from tests.support.waiting import until


@pytest.fixture
def second() -> Iterator[ModelServer]:
    """Another model server, which so far has nothing."""
    with model_serving() as server:
        server.served = frozenset()
        yield server


@pytest.fixture
def both(model_server: ModelServer, second: ModelServer) -> dict[str, Any]:
    """Settings that name both servers; the first has policy-a alone."""
    model_server.served = frozenset({"policy-a"})
    return {"upstream_url": f"{model_server.url}, {second.url}"}


def asked(url: str, **more: Any) -> str:
    reply = post(f"{url}/v1/cgp", json={**QUESTION, **more})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["version"])


async def test_a_new_version_takes_over_from_a_second_server_and_nothing_is_dropped(
    remote_policy: Serve, model_server: ModelServer, second: ModelServer, both: dict[str, Any]
) -> None:
    answered: list[str] = []
    done = asyncio.Event()

    async def keep_asking(http: httpx.AsyncClient) -> None:
        for turn in itertools.count():
            if done.is_set():
                return
            reply = await http.post("/v1/cgp", json={**QUESTION, "question": f"Number {turn}?"})
            assert reply.status_code == 200, reply.text
            body = reply.json()
            # The text names the model that wrote it: the version that the reply claims.
            assert body["prompts"][0]["text"].startswith(f"{body['version']} on ")
            answered.append(body["version"])

    with remote_policy(**both, cache_entries=0) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http, asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(keep_asking(http))
            await until(lambda: len(answered) > 20)
            refused = await http.post("/v1/policies/policy-b/activate")
            detail = problem(refused, 409, "policy-version-unusable")["detail"]
            assert "server 1 serves policy-a; server 2 serves nothing" in detail
            assert set(answered) == {"policy-a"}
            second.served = frozenset({"policy-b"})
            assert (await http.post("/v1/policies/policy-b/activate")).json()["active"] == "policy-b"
            seen = len(answered)
            await until(lambda: len(answered) > seen + 20)
            model_server.served = frozenset()
            seen = len(answered)
            await until(lambda: len(answered) > seen + 20)
            done.set()
    assert set(answered[-20:]) == {"policy-b"}


def test_a_version_whose_server_ends_is_asked_for_where_else_it_is(
    remote_policy: Serve, model_server: ModelServer, second: ModelServer, both: dict[str, Any]
) -> None:
    second.served = frozenset({"policy-a"})
    with remote_policy(**both, cache_entries=0) as url:
        assert asked(url) == "policy-a"
        assert (len(model_server.bodies), len(second.bodies)) == (1, 0)
        # What vLLM says while it drains, for each try that is made.
        model_server.faults = [JSONResponse({"error": {"message": "no new futures"}}, status_code=500)] * 3
        assert asked(url) == "policy-a"
        assert len(second.bodies) == 1
        assert asked(url) == "policy-a"
        assert len(second.bodies) == 2


def test_what_a_server_refuses_is_not_asked_of_another(
    remote_policy: Serve, model_server: ModelServer, second: ModelServer, both: dict[str, Any]
) -> None:
    second.served = frozenset({"policy-a"})
    with remote_policy(**both) as url:
        assert asked(url) == "policy-a"
        model_server.faults = [JSONResponse({"error": {"message": "too long"}}, status_code=400)]
        problem(post(f"{url}/v1/cgp", json={**QUESTION, "question": "Another?"}), 502, "upstream-failed")
        assert second.bodies == []


def test_a_version_in_memory_whose_server_is_gone_is_not_made_live_again(
    remote_policy: Serve, model_server: ModelServer, second: ModelServer, both: dict[str, Any]
) -> None:
    second.served = frozenset({"policy-b"})
    with remote_policy(**both) as url:
        assert asked(url) == "policy-a"
        assert post(f"{url}/v1/policies/policy-b/activate").status_code == 200
        model_server.served = frozenset()
        refused = problem(post(f"{url}/v1/policies/policy-a/activate"), 409, "policy-version-unusable")
        assert "cannot be asked" in refused["detail"]
        assert asked(url) == "policy-b"


def test_a_server_that_lists_a_version_and_cannot_write_is_refused(
    remote_policy: Serve, model_server: ModelServer
) -> None:
    model_server.served, model_server.listed = frozenset({"policy-a"}), frozenset({"policy-a", "policy-b"})
    with remote_policy() as url:
        refused = problem(post(f"{url}/v1/policies/policy-b/activate"), 409, "policy-version-unusable")
        assert "cannot write a prompt (it replied with status 404)" in refused["detail"]


def test_it_is_not_ready_while_no_server_has_the_live_version(
    remote_policy: Serve, model_server: ModelServer, both: dict[str, Any]
) -> None:
    with remote_policy(**both) as url:
        assert asked(url) == "policy-a"
        assert get(f"{url}/health/ready").status_code == 200
        model_server.served = frozenset({"policy-b"})
        ready = get(f"{url}/health/ready")
        assert ready.status_code == 503
        detail = ready.json()["dependencies"]["policy"]["detail"]
        assert "server 1 serves policy-b" in detail
        assert "127.0.0.1" not in detail
        model_server.served = frozenset({"policy-a"})
        assert get(f"{url}/health/ready").status_code == 200


def test_a_server_that_takes_its_time_is_not_taken_for_gone(remote_policy: Serve, model_server: ModelServer) -> None:
    with remote_policy(cache_entries=0) as url:
        assert asked(url) == "policy-a"
        model_server.listing.clear()
        assert get(f"{url}/health/ready").status_code == 200
        assert asked(url) == "policy-a"


def test_a_server_that_wants_a_key_is_shown_it(remote_policy: Serve, model_server: ModelServer) -> None:
    model_server.key = "sesame"
    with remote_policy(upstream_api_key="sesame") as url:
        assert asked(url) == "policy-a"
        assert get(f"{url}/health/ready").status_code == 200
        model_server.key = "another"
        ready = get(f"{url}/health/ready")
        assert ready.status_code == 503
        assert "status 401" in ready.json()["dependencies"]["policy"]["detail"]
        assert "sesame" not in ready.text


def test_one_server_of_two_is_enough(remote_policy: Serve, model_server: ModelServer) -> None:
    with remote_policy(upstream_url=f"http://127.0.0.1:{free_port()}/v1,{model_server.url}") as url:
        assert asked(url) == "policy-a"


def test_an_address_among_several_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="upstream_url"):
        PolicySettings(engine="openai", upstream_url="http://a/v1, b/v1")
    assert PolicySettings(engine="openai", upstream_url="http://a/v1 ,,http://b/v1").upstream_urls == (
        "http://a/v1",
        "http://b/v1",
    )


async def test_what_a_server_refuses_is_remembered_and_guidance_is_never_of_another_prompt() -> None:
    server, messages = HabitsServer(), guide_messages(load_template("guide-standard@1"), "Which side?", {})
    with running(server.app) as url:
        async with HttpPool(f"{url}/v1") as pool:
            servers = ModelServers([pool], RetrySettings())
            generator = RemoteGenerator(servers, pool, "model-1")
            server.behave("refuses max_tokens")
            for _ in range(2):
                await generator.generate(messages, 1, Sampling())
            assert len(server.asked) == 3
            server.behave("refuses a system message")
            with pytest.raises(TransportError, match="refuses a system message"):
                await generator.generate(messages, 1, Sampling())
