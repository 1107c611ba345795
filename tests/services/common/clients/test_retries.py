"""Retries against a real server: which failures are tried again, for how long, and when a caller hears of them."""

from __future__ import annotations

import asyncio
import time

import pytest
from fastapi.responses import JSONResponse

from prompt4trust.models import TransportError
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.common.clients.transport import post_json
from tests.services.common.clients.scripted_server import QUICK, Hang, Server, post, status
from tests.support.servers import free_port


@pytest.mark.parametrize("passing", [408, 425, 429, 500, 502, 503, 504, 520, 524, 529])
async def test_a_passing_failure_is_tried_again(server: Server, passing: int) -> None:
    server.replies = [status(passing), JSONResponse({"ok": True})]
    assert await post(server) == {"ok": True}
    assert server.bodies == [{"a": 1}] * 2


@pytest.mark.parametrize("lasting", [400, 401, 404, 413, 422, 301])
async def test_what_will_not_change_is_not_tried_again(server: Server, lasting: int) -> None:
    server.replies = [status(lasting)]
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert (caught.value.status, caught.value.timed_out, len(server.bodies)) == (lasting, False, 1)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": 429, "message": "hunter2"}, 429),
        ({"code": "503"}, 503),
        ("hunter2", 502),
        ({"code": "overloaded"}, 502),
    ],
)
async def test_an_error_under_status_200_is_one(server: Server, error: object, code: int) -> None:
    server.replies = [JSONResponse({"error": error}), JSONResponse({"error": None, "choices": [1]})]
    assert (await post(server))["choices"] == [1]
    server.replies = [JSONResponse({"error": error, "choices": []})]
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert caught.value.status == code
    assert "hunter2" not in str(caught.value)


async def test_a_lasting_error_under_status_200_is_not_tried_again(server: Server) -> None:
    server.replies = [JSONResponse({"error": {"code": 402, "message": "no credits"}})]
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert (caught.value.status, len(server.bodies)) == (402, 1)


async def test_it_gives_up_after_its_attempts(server: Server) -> None:
    server.replies = [status(500)]
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert (caught.value.status, len(server.bodies)) == (500, 3)


async def test_retry_after_is_honoured(server: Server) -> None:
    server.replies = [status(503, **{"Retry-After": "0.3"}), JSONResponse({})]
    await post(server)
    assert server.times[1] - server.times[0] >= 0.3


async def test_a_retry_after_beyond_the_deadline_ends_it_at_once(server: Server) -> None:
    server.replies = [status(503, **{"Retry-After": "3600"})]
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert time.monotonic() - began < QUICK.deadline_s / 2
    assert (caught.value.status, caught.value.retry_after, len(server.bodies)) == (503, 3600, 1)


@pytest.mark.parametrize("value", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "-5"])
async def test_a_retry_after_that_is_no_number_of_seconds_does_not_matter(server: Server, value: str) -> None:
    server.replies = [status(503, **{"Retry-After": value}), JSONResponse({})]
    assert await post(server) == {}


async def test_a_server_that_hangs_costs_the_deadline(server: Server) -> None:
    server.replies = [Hang()]
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        await post(server, RetrySettings(deadline_s=0.3))
    assert 0.3 <= time.monotonic() - began < 3
    assert caught.value.timed_out
    assert caught.value.status is None


async def test_a_deadline_that_falls_into_a_pause_tells_the_failure(server: Server) -> None:
    server.replies = [status(502)]
    with pytest.raises(TransportError) as caught:
        await post(server, RetrySettings(deadline_s=2.0, wait_initial_s=60, wait_max_s=60))
    assert (caught.value.status, caught.value.timed_out) == (502, False)


async def test_a_refused_connection_is_tried_again_and_then_told(server: Server) -> None:
    async with HttpPool(f"http://127.0.0.1:{free_port()}") as http:
        with pytest.raises(TransportError, match="connection failed") as caught:
            await post_json(http, "policy", "v1/things", {}, QUICK)
    assert (caught.value.status, caught.value.timed_out) == (None, False)


async def test_a_caller_that_is_cancelled_stays_cancelled(server: Server) -> None:
    server.replies = [Hang()]
    task = asyncio.create_task(post(server))
    async with asyncio.timeout(30):
        while not server.bodies:  # noqa: ASYNC110 - filled by the server's thread
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
