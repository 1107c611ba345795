"""Bounds on one caller's requests over real HTTP: rates, requests at once, and the headers that tell of them."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
from pydantic import ValidationError

from services.common.auth import Right, make_key, requires
from services.common.auth.key_file import change_keys
from services.common.http.rate_limits.counter import RequestCounter
from tests.services.common.auth.test_authenticator import demo, problem
from tests.services.policy.redis_server import running_redis
from tests.support.keys import bearer, keys_at
from tests.support.servers import free_port, running
from tests.support.settings import DemoSettings
from tests.support.waiting import wait_until


@contextmanager
def serving(**settings: Any) -> Iterator[httpx.Client]:
    with running(demo(**settings)) as url, httpx.Client(base_url=url, timeout=20) as http:
        yield http


def test_a_caller_may_ask_so_often_and_others_as_well(tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", one="ask", two="ask", boss="admin")
    settings = {"api_keys": tmp_path / "keys.json", "rate_limit": "3/hour", "rate_limits": {"admin": "5/day"}}
    with serving(**settings) as http:
        for left in (2, 1, 0):
            reply = http.post("/ask", headers=bearer(keys["one"]))
            assert reply.status_code == 200
            assert reply.headers["RateLimit-Policy"] == '"default";q=3;w=3600'
            match = re.fullmatch(r'"default";r=(\d+);t=(\d+)', reply.headers["RateLimit"])
            assert match is not None
            assert int(match[1]) == left
            assert 0 < int(match[2]) <= 3600
        refused = http.post("/ask", headers=bearer(keys["one"]), content=b"x" * 1000)
        found = problem(refused, 429, "rate-exceeded")
        assert found["policy"] == "default"
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        assert refused.headers["RateLimit"].startswith('"default";r=0;t=')
        assert http.post("/ask", headers=bearer(keys["two"])).status_code == 200
        admin = [http.get("/things/x", headers=bearer(keys["boss"])) for _ in range(6)]
        assert [reply.status_code for reply in admin] == [200] * 5 + [429]
        assert admin[0].headers["RateLimit-Policy"] == '"admin";q=5;w=86400'
        # Open routes, and what scrapers read, do not count.
        assert http.get("/open", headers=bearer(keys["one"])).status_code == 200
        assert http.get("/metrics", headers=bearer(keys["boss"])).status_code == 200


def test_a_key_has_figures_of_its_own(tmp_path: Path) -> None:
    text, key = make_key("slow", [Right.ASK], created=datetime.now(UTC), rate="1/day", concurrent=2)
    change_keys(tmp_path / "keys.json", lambda _: (key,))
    with serving(api_keys=tmp_path / "keys.json", rate_limit="100/second") as http:
        reply = http.post("/ask", headers=bearer(text))
        assert reply.headers["RateLimit-Policy"] == '"key";q=1;w=86400, "key-at-once";q=2;qu="concurrent-requests"'
        assert reply.headers["RateLimit"].endswith('"key-at-once";r=1')
        assert http.post("/ask", headers=bearer(text)).status_code == 429


def test_so_many_are_answered_at_once(tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", one="ask", two="ask")
    app, release, begun = demo(api_keys=tmp_path / "keys.json", concurrent_limit=2), threading.Event(), []

    @app.get("/slow", dependencies=[requires(Right.ASK)])
    async def slow() -> str:
        begun.append(1)
        await anyio.to_thread.run_sync(release.wait, 20)
        return "done"

    with running(app) as url, httpx.Client(base_url=url, timeout=20) as http:
        done: list[int] = []

        def ask() -> None:
            done.append(httpx.get(f"{url}/slow", headers=bearer(keys["one"]), timeout=20).status_code)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(begun) == 2)
            refused = http.post("/ask", headers=bearer(keys["one"]))
            problem(refused, 429, "too-many-at-once")
            assert refused.headers["RateLimit"] == '"default-at-once";r=0'
            assert refused.headers["Retry-After"] == "1"
            assert http.post("/ask", headers=bearer(keys["two"])).status_code == 200
        finally:
            release.set()
            for thread in threads:
                thread.join(20)
        assert done == [200, 200]
        assert http.post("/ask", headers=bearer(keys["one"])).headers["RateLimit"] == '"default-at-once";r=1'


def test_without_keys_addresses_are_bounded() -> None:
    with serving(rate_limit="2/hour") as http:
        assert [http.post("/ask").status_code for _ in range(3)] == [200, 200, 429]
        assert http.get("/inner/both").status_code == 200  # posts count
        with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9"), base_url=http.base_url) as other:
            assert other.post("/ask").status_code == 200


def test_without_figures_nothing_is_bounded_or_told() -> None:
    with serving() as http:
        reply = http.post("/ask")
        assert "RateLimit" not in reply.headers
        assert "RateLimit-Policy" not in reply.headers


async def test_processes_count_together_in_a_redis_and_alone_without() -> None:
    with running_redis() as server:
        one, two = RequestCounter(server.url, 5.0), RequestCounter(server.url, 5.0)
        counted = [await counter.count("key", (3, 3600)) for counter in (one, two, one, two)]
        assert [each.allowed for each in counted] == [True, True, True, False]
        await one.close()
        await two.close()
        # In a Redis all processes count together, so that nothing is shared out.
        third = RequestCounter(server.url, 5.0, processes=2)
        assert [(await third.count("other", (2, 3600))).allowed for _ in range(3)] == [True, True, False]
        await third.close()
    away = RequestCounter(f"redis://127.0.0.1:{free_port()}/0", 0.5)
    assert [(await away.count("key", (1, 60))).allowed for _ in range(2)] == [True, False]
    await away.close()


async def test_many_at_once_are_counted_together() -> None:
    with running_redis() as server:
        one, two = RequestCounter(server.url, 5.0), RequestCounter(server.url, 5.0)
        counted = await asyncio.gather(*(each.count("key", (60, 3600)) for each in (one, two) * 50))
        assert sum(each.allowed for each in counted) == 60
        await one.close()
        await two.close()


_ASKING = """
import asyncio, sys
import httpx
from services.common.http.rate_limits.allowances import Allowances
from services.common.http.rate_limits.counter import RequestCounter
from services.common.http.rate_limits.middleware import RateLimiting
from services.common.http.rate_limits.places import AddressPlaces

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

async def ask(url):
    counter = RequestCounter(url, 5.0)
    limited = RateLimiting(app, Allowances("3/hour"), counter, AddressPlaces(url), asks_who=False)
    transport = httpx.ASGITransport(limited, client=("203.0.113.7", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        print(*[(await http.post("/")).status_code for _ in range(2)])
    await counter.close()

asyncio.run(ask(sys.argv[1]))
"""


def test_an_address_is_one_in_all_processes() -> None:
    with running_redis() as server:
        asking = [
            subprocess.Popen(
                [sys.executable, "-c", _ASKING, server.url],
                env={**os.environ, "PYTHONHASHSEED": seed},
                stdout=subprocess.PIPE,
                text=True,
            )
            for seed in ("1", "2")
        ]
        found = [process.communicate(timeout=60)[0].split() for process in asking]
        assert sorted(found[0] + found[1]) == ["200", "200", "200", "429"]


async def test_processes_that_count_by_themselves_share_a_rate() -> None:
    counters = [RequestCounter(processes=3) for _ in range(3)]
    allowed = [(await counter.count("key", (7, 3600))).allowed for counter in counters for _ in range(7)]
    assert sum(allowed) == 6  # and never more than 7
    alone = RequestCounter(processes=8)
    assert (await alone.count("key", (3, 3600))).allowed  # at least one


def test_processes_share_what_is_answered_at_once(tmp_path: Path) -> None:
    with serving(concurrent_limit=5, processes=2) as http:
        assert http.post("/ask").headers["RateLimit-Policy"] == '"default-at-once";q=2;qu="concurrent-requests"'


@pytest.mark.parametrize(
    "settings",
    [
        {"rate_limit": "0/minute"},
        {"rate_limit": "fast"},
        {"rate_limit": "1/fortnight"},
        {"rate_limits": {"everybody": "1/day"}},
        {"concurrent_limit": 0},
        {"concurrent_limits": {"ask": -1}},
        {"rate_redis_url": "http://cache"},
    ],
)
def test_figures_that_are_none_stop_the_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DemoSettings(**settings)
