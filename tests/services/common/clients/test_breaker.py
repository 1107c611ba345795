"""A breaker opens after failures in a row, tries a few calls, and is not opened by what a request itself did wrong."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from prompt4trust.models import TransportError
from services.common.clients.breaker import BreakerState, CircuitBreaker


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def make(failures: int = 3, *, probes: int = 1) -> tuple[CircuitBreaker, Clock, list[BreakerState]]:
    clock, states = Clock(), list[BreakerState]()
    breaker = CircuitBreaker("downstream", failures, 5.0, probes=probes, changed=states.append, clock=clock)
    return breaker, clock, states


def fail(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    error = error or TransportError("downstream", "no reply", timed_out=True)
    with pytest.raises(type(error)), breaker.call():
        raise error


def is_refused(breaker: CircuitBreaker) -> bool:
    try:
        breaker.check()
    except TransportError:
        return True
    return False


def state(breaker: CircuitBreaker) -> BreakerState:
    return breaker.state


def test_it_opens_after_failures_in_a_row_and_tries_again() -> None:
    breaker, clock, states = make()
    fail(breaker)
    fail(breaker)
    with breaker.call():
        pass  # the count begins anew
    fail(breaker)
    fail(breaker)
    assert state(breaker) == "closed"
    fail(breaker)
    assert state(breaker) == "open"
    with pytest.raises(TransportError) as refused:
        breaker.check()
    assert (refused.value.service, refused.value.status, refused.value.timed_out) == ("downstream", None, False)
    assert refused.value.retry_after == 5.0
    with pytest.raises(TransportError, match="3 times in a row"), breaker.call():
        raise AssertionError("the call is not made")
    clock.now += 4.9
    assert is_refused(breaker)
    clock.now += 0.1
    assert (state(breaker), is_refused(breaker)) == ("half-open", False)
    fail(breaker)
    assert state(breaker) == "open"
    clock.now += 5
    with breaker.call():
        pass
    assert state(breaker) == "closed"
    fail(breaker)
    fail(breaker)
    assert state(breaker) == "closed"
    assert states == ["open", "half-open", "open", "half-open", "closed"]


def test_only_a_few_calls_try() -> None:
    breaker, clock, states = make(1, probes=2)
    fail(breaker)
    clock.now += 5
    with ExitStack() as trying:
        trying.enter_context(breaker.call())
        assert not is_refused(breaker)
        trying.enter_context(breaker.call())
        assert is_refused(breaker)
    assert not is_refused(breaker)
    assert states == ["open", "half-open", "closed"]


@pytest.mark.parametrize("status", [400, 401, 404, 408, 413, 422, 429])
def test_refusals_of_requests_never_open_it_and_show_that_the_server_is_there(status: int) -> None:
    breaker, clock, _ = make(2)
    for _ in range(20):
        fail(breaker, TransportError("downstream", "refused", status=status))
    assert state(breaker) == "closed"
    fail(breaker)
    fail(breaker, TransportError("downstream", "refused", status=status))
    fail(breaker)
    assert state(breaker) == "closed"
    fail(breaker)
    clock.now += 5
    fail(breaker, TransportError("downstream", "refused", status=status))
    assert state(breaker) == "closed"


@pytest.mark.parametrize("status", [500, 502, 503, 504, None])
def test_servers_that_fail_open_it(status: int | None) -> None:
    breaker, _, _ = make(2)
    for _ in range(2):
        fail(breaker, TransportError("downstream", "it failed", status=status))
    assert state(breaker) == "open"


@pytest.mark.parametrize(
    "error",
    [TransportError("downstream", "not JSON", status=200), ValueError("a mistake of ours"), asyncio.CancelledError()],
)
def test_what_says_nothing_of_the_server_changes_nothing(error: BaseException) -> None:
    breaker, clock, states = make(2)
    fail(breaker)
    for _ in range(5):
        fail(breaker, error)
    assert state(breaker) == "closed"
    fail(breaker)
    assert state(breaker) == "open"
    clock.now += 5
    fail(breaker, error)
    # The try told nothing: the next one may.
    assert (state(breaker), is_refused(breaker)) == ("half-open", False)
    assert states == ["open", "half-open"]


def test_stragglers_make_no_pause_longer_and_may_end_it() -> None:
    breaker, clock, _ = make(1)
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(breaker.call())
        second.enter_context(breaker.call())
        fail(breaker)
        clock.now += 4
        with pytest.raises(TransportError), first:
            raise TransportError("downstream", "gone too")
        clock.now += 1
        assert state(breaker) == "half-open"
        second.close()
        assert state(breaker) == "closed"
