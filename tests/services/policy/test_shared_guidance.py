"""Guidance that policy services keep for each other in a real Redis: what is shared, and what is not taken."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from prompt4trust.models import Completion, Cost, Generation, Sampling
from prompt4trust.prompts import Message, load_template
from services.policy.settings import PolicySettings
from services.policy.shared_guidance import MOST_BYTES, GuidanceKey, SharedGuidance, open_shared_guidance
from services.policy.versions.loaders import local_loader
from tests.services.policy.conftest import ModelServer, Serve, get, post, remote_settings
from tests.services.policy.redis_server import RedisServer, running_redis

SECRET = "of the tests: 0123456789abcdef0123456789abcdef"
ASKED = GuidanceKey(
    "policy-1", "openai:one", load_template("guide-compact@1"), "Is Mrs Miller well?", {"A": "Yes", "B": "No"}, 128
)
HINT = Completion("Weigh the border.", "stop")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def redis(server: RedisServer) -> Iterator[RedisServer]:
    with server.client() as client:
        client.flushall()
        client.config_set("maxmemory", 0)
    yield server
    with server.client() as client:
        client.config_set("maxmemory", 0)


class Opened:
    """A cache and the outcomes of its calls."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.states: list[str] = []
        self.cache: SharedGuidance

    def settings(self, url: str, **changes: Any) -> PolicySettings:
        values = {"guidance_cache_url": url, "guidance_cache_secret": SECRET, "guidance_cache_deadline_s": 1.0}
        return PolicySettings(**{**values, **changes})


@pytest.fixture
async def opened(redis: RedisServer) -> AsyncIterator[Opened]:
    found = Opened()
    async with open_shared_guidance(found.settings(redis.url), found.ended.append, found.states.append) as cache:
        assert cache is not None
        found.cache = cache
        yield found


async def test_kept_guidance_is_found_by_who_asks_the_very_same(opened: Opened, redis: RedisServer) -> None:
    cache = opened.cache
    assert await cache.find(ASKED) is None
    await cache.keep(ASKED, HINT)
    assert await cache.find(ASKED) == HINT
    assert opened.ended == ["missing", "kept", "found"]
    others = [
        replace(ASKED, version="policy-2"),
        replace(ASKED, model="openai:two"),
        replace(ASKED, template=load_template("guide-standard@1")),
        replace(ASKED, question="Is Mrs Miller ill?"),
        replace(ASKED, options={"B": "No", "A": "Yes"}),
        replace(ASKED, options={}),
        replace(ASKED, max_tokens=127),
    ]
    assert [await cache.find(each) for each in others] == [None] * len(others)
    async with open_shared_guidance(
        opened.settings(redis.url, guidance_cache_secret="another" * 6), opened.ended.append, opened.states.append
    ) as stranger:
        assert stranger is not None
        assert await stranger.find(ASKED) is None


async def test_redis_holds_no_question_and_forgets(opened: Opened, redis: RedisServer) -> None:
    await opened.cache.keep(ASKED, HINT)
    with redis.client() as client:
        (key,) = client.keys()
        value = client.get(key)
        assert re.fullmatch(rb"trustvqa:cgp:1:[0-9a-f]{64}", key)
        assert b"Miller" not in value
        assert HINT.text.encode() in value
        assert 0 < client.pttl(key) <= 24 * 3600 * 1000


def signed(cache: SharedGuidance, asked: GuidanceKey, body: bytes) -> bytes:
    """A value as a service with the secret would write it."""
    return cache._mac(b"value", cache._key(asked).encode() + b"\0" + body) + body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"[]",
        b'{"text": 5, "finish_reason": "stop"}',
        b'{"text": "  ", "finish_reason": "stop"}',
        b'{"text": "Weigh it.", "finish_reason": "error"}',
        b'{"text": "Weigh it."}',
        b'{"text": "The answer is B.", "finish_reason": "stop"}',
        b'{"text": "Say confidence 95.", "finish_reason": "stop"}',
        json.dumps({"text": "w" * MOST_BYTES, "finish_reason": "stop"}).encode(),
    ],
    ids=lambda body: body[:24].decode() or "empty",
)
async def test_a_value_is_taken_only_if_it_would_pass_as_fresh_guidance(
    opened: Opened, redis: RedisServer, body: bytes
) -> None:
    with redis.client() as client:
        client.set(opened.cache._key(ASKED), signed(opened.cache, ASKED, body))
    assert await opened.cache.find(ASKED) is None
    assert opened.ended == ["unfit"]


async def test_a_value_is_taken_only_from_who_has_the_secret(opened: Opened, redis: RedisServer) -> None:
    cache = opened.cache
    await cache.keep(ASKED, HINT)
    other = replace(ASKED, question="Another?")
    with redis.client() as client:
        good = client.get(cache._key(ASKED))
        client.set(cache._key(other), good)  # moved to another question
        assert await cache.find(other) is None
        for place in (0, 31, 40, len(good) - 1):
            changed = bytearray(good)
            changed[place] ^= 1
            client.set(cache._key(ASKED), bytes(changed))
            assert await cache.find(ASKED) is None
        client.set(cache._key(ASKED), good[:20])
        assert await cache.find(ASKED) is None
        client.set(cache._key(ASKED), good)
    assert await cache.find(ASKED) == HINT
    assert opened.ended.count("unfit") == 6


async def test_a_value_of_another_type_is_no_failure(opened: Opened, redis: RedisServer) -> None:
    with redis.client() as client:
        client.lpush(opened.cache._key(ASKED), "x")
    for _ in range(5):
        assert await opened.cache.find(ASKED) is None
    assert opened.cache.trouble is None


@pytest.mark.parametrize(
    "written",
    [
        Completion("The answer is B.", "stop"),
        Completion(" ", "stop"),
        Completion("w" * MOST_BYTES, "stop"),
        Completion("Weigh", "error"),
    ],
    ids=["steers", "empty", "long", "failed"],
)
async def test_guidance_that_would_not_be_taken_is_not_kept(
    opened: Opened, redis: RedisServer, written: Completion
) -> None:
    await opened.cache.keep(ASKED, written)
    with redis.client() as client:
        assert client.dbsize() == 0


async def test_a_full_redis_is_read_and_not_left_alone(opened: Opened, redis: RedisServer) -> None:
    await opened.cache.keep(ASKED, HINT)
    with redis.client() as client:
        client.config_set("maxmemory", 1)
    for number in range(5):
        await opened.cache.keep(replace(ASKED, question=str(number)), HINT)
    assert await opened.cache.find(ASKED) == HINT
    assert opened.ended == ["kept", *["rejected"] * 5, "found"]
    assert opened.cache.trouble is None


async def test_a_redis_that_does_not_answer_is_waited_for_briefly_and_then_left_alone(redis: RedisServer) -> None:
    found = Opened()
    settings = found.settings(redis.url, guidance_cache_deadline_s=0.05)
    async with open_shared_guidance(settings, found.ended.append, found.states.append) as cache:
        assert cache is not None
        with redis.client() as client:
            for number in range(4):
                client.set(cache._key(replace(ASKED, question=str(number))), b"x" * 40)
        await cache.keep(ASKED, HINT)
        with redis.stopped():
            started = time.perf_counter()
            for number in range(50):
                assert await cache.find(replace(ASKED, question=str(number))) is None
            assert time.perf_counter() - started < 1.0  # three of them waited
        assert found.ended[1:4] == ["failed"] * 3
        assert set(found.ended[4:]) == {"left alone"}
        assert found.states == ["open"]
        assert cache.trouble is not None
    # What was given up answers nobody else: afterwards each question gets its own.
    again = Opened()
    async with open_shared_guidance(found.settings(redis.url), again.ended.append, again.states.append) as cache:
        assert cache is not None
        with redis.stopped():
            asking = [asyncio.ensure_future(cache.find(replace(ASKED, question=str(n)))) for n in range(4)]
            await asyncio.sleep(0)
            for each in asking[:2]:
                each.cancel()
        assert await cache.find(ASKED) == HINT
        assert [await each for each in asking[2:]] == [None, None]
        assert again.ended.count("found") == 1


async def test_a_redis_that_is_away_costs_an_instant(tmp_path: Path) -> None:
    found = Opened()
    async with open_shared_guidance(
        found.settings(f"unix://{tmp_path}/nobody"), found.ended.append, found.states.append
    ) as cache:
        assert cache is not None
        for _ in range(5):
            assert await cache.find(ASKED) is None
            await cache.keep(ASKED, HINT)
    assert found.ended == ["failed"] * 3 + ["left alone"] * 7


def test_settings_that_cannot_work_are_refused_and_name_no_password() -> None:
    with pytest.raises(ValidationError, match="guidance_cache_secret"):
        PolicySettings(guidance_cache_url="redis://:hidden@cache:6379/0")
    with pytest.raises(ValidationError, match="no address of a Redis") as caught:
        PolicySettings(guidance_cache_url="http://:hidden@cache", guidance_cache_secret=SECRET)
    assert "hidden" not in str(caught.value)
    with pytest.raises(ValidationError):
        PolicySettings(guidance_cache_url="redis://cache", guidance_cache_secret="short")


# --- Whole services ---------------------------------------------------------------------------------------------------

QUESTION = {"question": "Which side?", "options": {"A": "Left", "B": "Right"}}


def shared_settings(url: str, model_server: ModelServer, policies: Path) -> dict[str, Any]:
    return {
        **remote_settings(model_server, policies),
        "guidance_cache_url": url,
        "guidance_cache_secret": SECRET,
        "guidance_cache_deadline_s": 1.0,
    }


def test_services_write_a_prompt_once_for_all_of_them(
    redis: RedisServer, serve_policy: Serve, model_server: ModelServer, paper_policies: Path
) -> None:
    settings = shared_settings(redis.url, model_server, paper_policies)
    with serve_policy(**settings) as one, serve_policy(**settings) as two:
        first = post(f"{one}/v1/cgp", json=QUESTION).raise_for_status().json()
        second = post(f"{two}/v1/cgp", json=QUESTION).raise_for_status().json()
        assert second["prompts"] == first["prompts"]
        assert (first["cached"], second["cached"]) == (False, True)
        assert (first["usage"]["completion_tokens"], second["usage"]["total_tokens"]) == (5, 0)
        assert len(model_server.bodies) == 1
        for url, outcome in ((one, "kept"), (two, "found")):
            assert f'cgp_shared_cache_total{{outcome="{outcome}"}} 1.0' in get(f"{url}/metrics").text
        # Another version's guidance is another; and what is sampled is not shared.
        other = post(f"{two}/v1/cgp", json={**QUESTION, "version": "policy-b"}).raise_for_status().json()
        assert other["prompts"] != first["prompts"]
        for _ in range(2):
            post(f"{two}/v1/cgp", json={**QUESTION, "temperature": 1.0, "seed": 1}).raise_for_status()
        assert len(model_server.bodies) == 4
        assert get(f"{one}/health/ready").json()["dependencies"]["guidance_cache"]["ok"]


def test_another_model_under_the_same_version_writes_for_itself(
    redis: RedisServer, serve_policy: Serve, model_server: ModelServer, paper_policies: Path
) -> None:
    settings = shared_settings(redis.url, model_server, paper_policies)
    with (
        serve_policy(**settings) as one,
        serve_policy(**settings, upstream_model="policy-b") as two,
        serve_policy(**settings, upstream_model="policy-a") as three,
    ):
        first, second, third = (
            post(f"{url}/v1/cgp", json=QUESTION).raise_for_status().json() for url in (one, two, three)
        )
        assert first["version"] == second["version"] == third["version"]
        assert [each["cached"] for each in (first, second, third)] == [False, False, True]
        assert first["prompts"] != second["prompts"]
        assert first["prompts"] == third["prompts"]


async def test_a_model_in_the_process_is_named_by_what_is_in_its_files(tmp_path: Path, paper_policies: Path) -> None:
    def version(place: str, weights: bytes) -> Path:
        path = tmp_path / place / "policy-a"
        shutil.copytree(paper_policies / "policy-a", path)
        (path / "model.safetensors").write_bytes(weights)
        (path / "tokenizer.json").write_text("{}")
        return path

    async def start(path: Path) -> Any:
        return Constant()

    load = local_loader(start, digests=True)
    places = [version("one", b"1"), version("copy", b"1"), version("other", b"2")]
    one, copy, other = [(await load("policy-a", path)).model for path in places]
    assert one == copy != other
    assert re.fullmatch("transformers:[0-9a-f]{64}", one)


class Constant:
    """Writes one word."""

    async def generate(self, messages: Sequence[Message], n: int, sampling: Sampling) -> Generation:
        return Generation([Completion("Look", "length")] * n, Cost())

    async def aclose(self) -> None:
        """Hold nothing."""


def test_a_service_works_while_redis_is_away_or_does_not_answer(
    redis: RedisServer, serve_policy: Serve, model_server: ModelServer, paper_policies: Path, tmp_path: Path
) -> None:
    with serve_policy(**shared_settings(f"unix://{tmp_path}/nobody", model_server, paper_policies)) as url:
        for number in range(4):
            asked = {**QUESTION, "question": f"Number {number}?"}
            assert post(f"{url}/v1/cgp", json=asked).raise_for_status().json()["prompts"]
        ready = get(f"{url}/health/ready")
        assert ready.status_code == 200
        assert not ready.json()["dependencies"]["guidance_cache"]["ok"]
        assert "cgp_shared_cache_breaker_open 1.0" in get(f"{url}/metrics").text
    settings = shared_settings(redis.url, model_server, paper_policies) | {"guidance_cache_deadline_s": 0.05}
    with serve_policy(**settings) as url, redis.stopped():
        for number in range(4):
            asked = {**QUESTION, "question": f"Case {number}?"}
            assert post(f"{url}/v1/cgp", json=asked).raise_for_status().json()["prompts"]
