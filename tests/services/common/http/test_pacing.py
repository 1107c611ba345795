"""Clients that are refused over and over, over real HTTP from several addresses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from services.common.http.pacing import Pace, Pacing, excuse
from tests.support.servers import running
from tests.support.waiting import wait_until

PACE = Pace(allowed=3, most=20, forgiven_per_s=1, forgiven_by_answer=0.25, every_s=0.5, longest_s=2, held=2, known=2)
HOG, OTHER, THIRD, FOURTH = (f"127.0.0.{number}" for number in range(2, 6))


class Paced:
    """A service that answers with the status that it is asked for, at a pace, and a clock that only sleeping moves."""

    def __init__(self, pace: Pace = PACE) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.bodies = 0
        self.awake = threading.Event()
        self.awake.set()
        self.app = Pacing(self._answer, {"/ask"}, pace, clock=lambda: self.now, sleep=self._sleep)
        self.url = ""

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = await Request(scope, receive).json()
        if scope["query_string"] == b"excused":
            excuse(scope)
        self.bodies += 1
        await JSONResponse({}, status_code=body)(scope, receive, send)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.to_thread(self.awake.wait)
        self.now += seconds

    def ask(self, client: str, status: int = 422, times: int = 1, path: str = "/ask") -> httpx.Response:
        """Ask from an address to be answered with a status; the last response."""
        with httpx.Client(transport=httpx.HTTPTransport(local_address=client)) as http:
            return [http.post(f"{self.url}{path}", json=status) for _ in range(times)][-1]


@contextmanager
def serving_paced(**changes: Any) -> Iterator[Paced]:
    paced = Paced(PACE if not changes else Pace(**changes))
    with running(paced.app) as paced.url:
        yield paced


@pytest.fixture
def paced() -> Iterator[Paced]:
    with serving_paced() as found:
        yield found


def test_who_is_refused_over_and_over_is_let_in_at_a_pace_while_others_ask(paced: Paced) -> None:
    paced.ask(OTHER, 200)
    paced.ask(HOG, times=4)
    assert paced.slept == []
    paced.ask(HOG, times=4)
    assert paced.slept == [0.0, 0.5, 0.5, 0.5]
    paced.ask(OTHER, 200, times=4)
    assert len(paced.slept) == 4
    assert paced.bodies == 13


def test_who_asks_alone_is_never_held(paced: Paced) -> None:
    paced.ask(HOG, times=12)
    assert paced.slept == []
    paced.ask(OTHER, 200)
    paced.ask(HOG)
    assert paced.slept == [0.0]


def test_others_that_are_slowed_down_themselves_do_not_count() -> None:
    with serving_paced(allowed=3, forgiven_per_s=0) as paced:
        for client in (HOG, OTHER):
            paced.ask(client, times=5)
            paced.now += 61  # from here on nobody was let in lately as those are who are not refused
        for client in (HOG, OTHER):
            paced.ask(client, times=5)
        assert paced.slept == []


def test_answers_make_up_for_refusals(paced: Paced) -> None:
    paced.ask(OTHER, 200)
    for _ in range(12):
        paced.ask(HOG, 415)
        paced.ask(HOG, 200, times=4)
    assert paced.slept == []


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 503, 504])
def test_what_is_not_the_clients_fault_does_not_count(paced: Paced, status: int) -> None:
    paced.ask(OTHER, 200)
    paced.ask(HOG, status, times=12)
    assert paced.slept == []


def test_what_a_client_may_have_passed_on_does_not_count(paced: Paced) -> None:
    paced.ask(OTHER, 200)
    paced.ask(HOG, 400, times=12, path="/ask?excused")
    assert paced.slept == []
    paced.ask(HOG, 400, times=5)
    assert paced.slept == [0.0]


def test_refusals_are_forgotten_with_time(paced: Paced) -> None:
    paced.ask(OTHER, 200)
    paced.ask(HOG, times=4)
    paced.now += 1.5
    paced.ask(OTHER, 200)
    paced.ask(HOG)
    assert paced.slept == []
    paced.ask(HOG)
    assert paced.slept == [0.0]


def test_however_many_they_were(paced: Paced) -> None:
    paced.ask(HOG, times=50)
    paced.now += PACE.most - PACE.allowed
    paced.ask(OTHER, 200)
    paced.ask(HOG)
    assert paced.slept == []


def test_other_paths_pass_through(paced: Paced) -> None:
    paced.ask(OTHER, 200)
    paced.ask(HOG, times=12, path="/other")
    paced.ask(HOG)
    assert paced.slept == []


def test_whose_turn_would_come_too_late_is_told_so_with_its_body_unread() -> None:
    with serving_paced(allowed=0, forgiven_per_s=0, every_s=3.0, longest_s=2.0) as paced:
        paced.ask(OTHER, 200)
        paced.ask(HOG, times=2)
        read = paced.bodies
        told = paced.ask(HOG)
        assert (told.status_code, paced.bodies, paced.slept) == (429, read, [0.0, 2.0])
        assert told.json()["type"].endswith(":refused-too-often")
        assert (told.headers["retry-after"], told.headers["connection"]) == ("1", "close")
        assert paced.ask(HOG).status_code == 422  # a second later than it had been told


def test_no_more_are_held_than_may_be(paced: Paced) -> None:
    paced.ask(OTHER, 200)
    paced.ask(HOG, times=4)
    paced.awake.clear()
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(paced.ask(HOG).status_code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(paced.slept) == 2)
    assert paced.ask(HOG).status_code == 429
    assert paced.ask(OTHER, 200).status_code == 200  # nobody else is held up
    paced.awake.set()
    for thread in threads:
        thread.join()
    assert statuses == [422, 422]


def test_no_more_clients_are_remembered_than_may_be(paced: Paced) -> None:
    paced.ask(OTHER, 200)
    paced.ask(HOG, times=4)
    paced.ask(THIRD)
    paced.ask(FOURTH)  # the third of two
    paced.ask(HOG)
    assert paced.slept == []
