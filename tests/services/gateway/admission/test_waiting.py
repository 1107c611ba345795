"""How long one may wait, who is next, and when to come back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from services.common.fair_queue import FairQueue, Waiting
from services.gateway.admission.controlled_delay import ControlledDelay
from services.gateway.admission.return_times import ReturnTimes
from services.gateway.intake.client_wait import longest_wait_s


def test_a_burst_may_wait_and_a_standing_line_may_not() -> None:
    now = 100.0
    delay = ControlledDelay(5.0, 1.0, clock=lambda: now)
    delay.note(3)
    now = 105.0
    delay.note(40)
    assert (delay.is_standing, delay.allowed_s) == (False, 5.0)
    now = 105.1
    assert (delay.is_standing, delay.allowed_s) == (True, 1.0)
    delay.note(0)
    assert (delay.is_standing, delay.allowed_s) == (False, 5.0)
    # Nobody came for long: that is no line.
    now = 200.0
    delay.note(1)
    assert not delay.is_standing
    now = 205.1
    assert delay.is_standing


def test_a_standing_line_never_allows_more_than_a_burst() -> None:
    now = 0.0
    delay = ControlledDelay(0.5, 1.0, clock=lambda: now)
    delay.note(1)
    now = 10.0
    assert (delay.is_standing, delay.allowed_s) == (True, 0.5)


def test_each_that_is_turned_away_is_told_a_time_of_its_own() -> None:
    now = 10.0
    times = ReturnTimes(1.0, 30.0, clock=lambda: now)
    assert [times.next(10, 0.5) for _ in range(4)] == [5.5, 6.0, 6.5, 7.0]
    now = 12.0
    assert times.next(2, 0.5) == 5.5  # those of before are still to come
    now = 60.0
    assert times.next(2, 0.5) == 1.5
    assert ReturnTimes(1.0, 30.0, clock=lambda: now).next(0, 0.0) == 1.0


def test_nobody_is_told_to_stay_away_for_long_and_the_backlog_does_not_outlast_that() -> None:
    now = 0.0
    times = ReturnTimes(1.0, 30.0, clock=lambda: now)
    assert [times.next(0, 1.0) for _ in range(1000)][-1] == 30.0
    now = 25.0
    assert times.next(0, 1.0) == 6.0


CLIENTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=30)


@given(CLIENTS, st.dictionaries(st.sampled_from("abc"), st.integers(0, 4)))
def test_turns_are_shared_out(clients: list[str], held: dict[str, int]) -> None:
    queue = FairQueue[Waiting]()
    for client in clients:
        queue.join(Waiting(client))
    left = {client: clients.count(client) for client in set(clients)}
    while (called := queue.call(held)) is not None:
        # Nobody who waits holds fewer than who is called.
        assert held.get(called.client, 0) == min(held.get(client, 0) for client, count in left.items() if count)
        left[called.client] -= 1
        held[called.client] = held.get(called.client, 0) + 1
    assert not any(left.values())
    assert len(queue) == 0


@given(CLIENTS)
def test_a_client_gives_way_only_to_one_with_two_fewer(clients: list[str]) -> None:
    queue = FairQueue[Waiting]()
    waiting = [Waiting(client) for client in clients]
    for each in waiting:
        queue.join(each)
    for client in "abcd":
        gives_way = queue.giving_way_to(client)
        most = max(clients.count(other) for other in clients)
        assert (gives_way is None) == (most < clients.count(client) + 2)
        if gives_way is not None:
            assert gives_way is [each for each in waiting if each.client == gives_way.client][-1]


def test_with_one_place_clients_take_turns() -> None:
    queue = FairQueue[Waiting]()
    for client in "aaaab":
        queue.join(Waiting(client))
    called = [queue.call({}) for _ in range(5)]
    assert "".join(each.client for each in called if each is not None) == "abaaa"
    assert queue.call({}) is None


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (["wait=10"], 10.0),
        (["respond-async, wait=10"], 10.0),
        (["return=minimal", "Wait = 7; x=1, wait=9"], 7.0),
        (['wait="12"'], 12.0),
        (["wait=0"], 1.0),
        (["wait=soon"], math.inf),
        (["wait=-3"], math.inf),
        (["wait=1e3"], math.inf),
        (["wait=9999999999999999999999"], math.inf),
        (["handling=lenient"], math.inf),
        (["await=3"], math.inf),
        ([""], math.inf),
        ([], math.inf),
    ],
)
def test_how_long_a_client_waits_is_read_from_its_preference(prefer: list[str], seconds: float) -> None:
    raw = [(b"prefer", each.encode()) for each in prefer]
    assert longest_wait_s(Headers(raw=raw)) == seconds
