"""Retries of all calls together are a share of the calls, whatever fails."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.models import TransportError
from services.common.clients.retry_budget import RetryBudget
from tests.services.common.clients.scripted_server import QUICK, Server, post, status


@given(st.lists(st.booleans(), max_size=300), st.floats(0, 1), st.floats(0, 20))
def test_no_more_is_spent_than_was_earned_and_saved(earns: list[bool], share: float, most: float) -> None:
    asked: list[bool] = []
    budget = RetryBudget(share, most, asked.append)
    earned = spent = 0
    for earn in earns:
        if earn:
            budget.earn()
            earned += 1
        else:
            spent += budget.spend()
    assert spent <= most + share * earned + 1e-6
    assert (len(asked), sum(asked)) == (len(earns) - earned, spent)


def test_what_is_saved_up_is_bounded() -> None:
    budget = RetryBudget(0.5, 2.0)
    for _ in range(100):
        budget.earn()
    assert [budget.spend() for _ in range(4)] == [True, True, False, False]


async def test_an_outage_is_not_made_worse(server: Server) -> None:
    server.replies = [status(503)]
    asked: list[bool] = []
    retry = replace(QUICK, attempts=3, wait_initial_s=0.001, budget=RetryBudget(0.1, 2.0, asked.append))
    for _ in range(20):
        with pytest.raises(TransportError):
            await post(server, retry)
    # Two that were saved, and of 20 calls one in ten.
    assert len(server.bodies) == pytest.approx(20 + 2 + 2, abs=1)
    assert sum(asked) == len(server.bodies) - 20


async def test_the_last_try_asks_for_no_further_one(server: Server) -> None:
    server.replies = [status(503)]
    asked: list[bool] = []
    retry = replace(QUICK, attempts=2, wait_initial_s=0.001, budget=RetryBudget(0.0, 10.0, asked.append))
    with pytest.raises(TransportError):
        await post(server, retry)
    assert (len(server.bodies), asked) == (2, [True])


async def test_what_is_not_tried_again_costs_nothing(server: Server) -> None:
    asked: list[bool] = []
    retry = replace(QUICK, budget=RetryBudget(0.0, 1.0, asked.append))
    server.replies = [status(422)]
    with pytest.raises(TransportError):
        await post(server, retry)
    assert asked == []
    server.replies = [status(503), JSONResponse({"ok": True})]
    assert await post(server, retry) == {"ok": True}
    assert asked == [True]
