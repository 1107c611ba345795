"""The benchmark of overload: a model whose capacity is known, clients that wait for nobody, and what is counted."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from benchmarks.overload.clients import Clients, Ending, Habit, figures
from benchmarks.overload.stand_in import StandIn
from tests.support.servers import running

ASKED = {"messages": [{"role": "user", "content": "Which? (the right one is C)"}]}


async def test_the_model_answers_so_many_at_once_and_what_it_was_asked() -> None:
    with running(cast(ASGIApp, StandIn(2, 0.05))) as url:
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            started = time.perf_counter()
            replies = await asyncio.gather(*(http.post("/v1/chat/completions", json=ASKED) for _ in range(12)))
            took = time.perf_counter() - started
            # Who hangs up leaves the line. Connecting may take its time: the machine may be busy.
            hurried = httpx.Timeout(20, read=0.02)
            with pytest.raises(httpx.ReadTimeout):
                await asyncio.gather(
                    *(http.post("/v1/chat/completions", json=ASKED, timeout=hurried) for _ in range(9))
                )
            await http.put("/slots?50")
            again = await http.post("/v1/chat/completions", json=ASKED)
    assert {each.json()["choices"][0]["message"]["content"] for each in replies} == {
        "The answer is C with confidence 95."
    }
    assert took > 6 * 0.05 * 0.5  # two at a time
    assert again.status_code == 200


class Gateway:
    """Refuses the first try of every question, and then answers A."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.prefers: set[str | None] = set()

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/vqa")
        async def vqa(request: Request) -> JSONResponse:
            question = (await request.json())["question"]
            self.prefers.add(request.headers.get("Prefer"))
            if question not in self.seen:
                self.seen.add(question)
                return JSONResponse({}, 503, headers={"Retry-After": "1"})
            return JSONResponse({"answer": {"letter": "A"}, "guess": None})

        return app


async def test_clients_ask_again_or_not_and_only_right_answers_count() -> None:
    found: dict[str, Any] = {}
    habits: tuple[Habit, ...] = ("asks once", "asks again")
    for habit in habits:
        gateway = Gateway()
        with running(gateway.app()) as url:
            clients = Clients(url, 40, 1.0, 90.0, habit, says=habit == "asks again")
            found[habit] = await clients.ask()
        assert (None in gateway.prefers) == (habit == "asks once")
    once, again = found["asks once"], found["asks again"]
    assert len(once) == len(again) > 20  # the same times by chance
    assert {each.status for each in once} == {503}
    assert {(each.status, each.tries) for each in again} == {(200, 2)}
    right = sum(each.is_right for each in again)
    assert 0 < right < len(again)
    assert figures(again, 0.0, 100.0, 10.0)["wrong"] == len(again) - right


def test_figures_are_of_the_questions_that_came_in_the_time() -> None:
    endings = [Ending(at / 10, 0.1, HTTPStatus.OK, 1, True) for at in range(100)]
    endings += [
        Ending(5.05, 3.0, HTTPStatus.OK, 1, False),
        Ending(5.06, 0.01, 503, 1, False),
        Ending(5.07, 4, 0, 1, False),
    ]
    found = figures(endings, 2.0, 8.0)
    assert (found["asked"], found["right_in_time"], found["wrong"]) == (63, 60, 1)
    assert (found["per_second"], found["interval"]) == (10.0, [10.0, 10.0])
    assert found["statuses"] == {"0": 1, "200": 61, "503": 1}
    assert found["refused_p50_s"] == 0.01
    assert (found["p50_s"], found["p99_s"]) == (0.1, 0.1)
