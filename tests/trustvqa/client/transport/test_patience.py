"""Which failures are tried again, after what pause and for how long, in the time of a loop whose clock is set."""

from __future__ import annotations

import asyncio
import itertools
import selectors
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from trustvqa.client.errors import (
    ClientError,
    DeadlineError,
    GatewayUnreachableError,
    NotAGatewayError,
    ProblemError,
)
from trustvqa.client.plain.request import UnsentError
from trustvqa.client.transport.patience import Patience, tried

_AWAY = UnsentError("refused", "http://x")
_LOST = GatewayUnreachableError("reset", "http://x")


def _busy(retry_after: float | None = None, status: int = 503) -> ProblemError:
    return ProblemError(status, {}, retry_after)


class _Run:
    """Tries that fail as they are told to, and the moments at which they began.

    Args:
        failures: How the tries fail; after the last of them one succeeds.
        try_s: Seconds that a try takes.
    """

    def __init__(self, failures: Iterable[BaseException], try_s: float = 0.0) -> None:
        self.failures, self.try_s = iter(failures), try_s
        self.began: list[float] = []
        self.within: list[float] = []

    async def once(self, within_s: float) -> str:
        self.began.append(asyncio.get_running_loop().time())
        self.within.append(within_s)
        await asyncio.sleep(self.try_s)
        for failure in self.failures:
            raise failure
        return "done"


class _Clock(selectors.DefaultSelector):
    """A clock that goes on by the waits of a loop, which take no time."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]:
    """Runs work on a loop with such a clock."""

    def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        clock = _Clock()
        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", lambda: clock.now)
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(clock)) as runner:
                return runner.run(work())

    return run


def test_pauses_double_up_to_eight_seconds_with_a_quarter_by_chance(at_once: Any) -> None:
    run = _Run([_busy()] * 8)
    assert at_once(lambda: tried(run.once, Patience(100))) == "done"
    pauses = [later - earlier for earlier, later in itertools.pairwise(run.began)]
    for pause, least in zip(pauses, (0.25, 0.5, 1, 2, 4, 7.75, 7.75, 7.75), strict=True):
        assert least - 1e-9 <= pause <= least + 0.25 + 1e-9
    assert len(set(pauses)) == 8


def test_the_gateway_s_own_pause_is_kept_to(at_once: Any) -> None:
    run = _Run([_busy(30.0), _busy(0.0), _busy(12.0)])
    assert at_once(lambda: tried(run.once, Patience(100))) == "done"
    assert run.began == pytest.approx([0, 30, 30, 42])
    assert run.within == pytest.approx([100, 70, 70, 58])


@pytest.mark.parametrize(
    ("patience", "failure", "tries"),
    [
        (Patience(100), _busy(101.0), 1),  # past the deadline
        (Patience(100, again_s=10), _busy(10.0), 1),
        (Patience(100, again_s=10), _busy(9.0), 2),
        (Patience(100, again_s=0), _busy(), 1),
        (Patience(100, away_s=0), _AWAY, 1),
        (Patience(100, away_s=0), _LOST, 100),
        (Patience(100, repeatable=False), _LOST, 1),
        (Patience(100, repeatable=False), _AWAY, 100),
        (Patience(100, repeatable=False), _busy(status=502), 1),
        (Patience(100, repeatable=False), _busy(status=429), 100),
        (Patience(100), _busy(status=504), 100),
        (Patience(100), _busy(status=500), 1),
        (Patience(100), NotAGatewayError("x"), 1),
        (Patience(100), DeadlineError("x"), 1),
        (Patience(100), KeyError("x"), 1),
    ],
)
def test_what_is_tried_again_and_how_long(at_once: Any, patience: Patience, failure: Exception, tries: int) -> None:
    run = _Run([failure] * 100)
    with pytest.raises(type(failure)) as raised:
        at_once(lambda: tried(run.once, patience))
    assert raised.value is failure
    assert (len(run.began) > 10) if tries == 100 else (len(run.began) == tries)


def test_the_deadline_ends_a_pause_with_the_reason_for_it_and_a_try_with_its_own(at_once: Any) -> None:
    pausing = _Run([_busy()] * 100)
    with pytest.raises(ProblemError):
        at_once(lambda: tried(pausing.once, Patience(3)))
    assert len(pausing.began) == 4  # 0, 0.25, 0.75, 1.75, and not 3.75
    endless = _Run([], try_s=1000)
    with pytest.raises(DeadlineError, match="no answer within 3 s"):
        at_once(lambda: tried(endless.once, Patience(3)))
    bounded = _Run([])
    at_once(lambda: tried(bounded.once, Patience(3, try_s=2)))
    assert bounded.within == [2]


def test_a_try_that_was_made_elsewhere_is_the_first(at_once: Any) -> None:
    said: list[str] = []
    run = _Run([])
    at_once(lambda: tried(run.once, Patience(60, failed=_busy(5.0), noted=said.append)))
    assert run.began == pytest.approx([5])
    assert said == ["it replied with status 503"]
    never = _Run([])
    with pytest.raises(ClientError) as raised:
        at_once(lambda: tried(never.once, Patience(60, failed=NotAGatewayError("no JSON"))))
    assert (str(raised.value), never.began) == ("no JSON", [])


async def test_who_is_cancelled_in_a_pause_tries_no_more() -> None:
    run, paused = _Run([_busy(50.0)]), asyncio.Event()
    task = asyncio.create_task(tried(run.once, Patience(60, noted=lambda _: paused.set())))
    await paused.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(run.began) == 1
