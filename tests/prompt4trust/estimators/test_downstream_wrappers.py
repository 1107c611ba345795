"""Estimators of one run share what they would ask alike, and keep within a server's queue."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from prompt4trust.estimators import get_estimator
from prompt4trust.estimators.downstream_wrappers import BoundedSamples, SharedReplies
from prompt4trust.models import Completion, Cost, Generation, Sampling, TransportError
from prompt4trust.prompts import Message
from prompt4trust.verdict import Verdict
from tests.prompt4trust.estimators.scripts import OPTIONS, TEMPLATE, Texts, said

ASKED: list[Message] = [{"role": "user", "content": "Q?"}]


async def test_sampling_methods_draw_a_question_s_samples_once() -> None:
    texts = [*[said("A", 80)] * 14, *[said("B", 60)] * 7, *[said("A", 50)] * 19]
    downstream = Texts(texts)
    shared = SharedReplies(downstream)
    answers = {
        name: await get_estimator(name, shared, None, TEMPLATE, Sampling()).answer("Q?", OPTIONS, None)
        for name in ("consistency", "avg-conf", "avg-conf-all", "entropy-spread")
    }
    assert [n for _, _, n in downstream.requests] == [21, 19]
    assert answers["consistency"].verdict == Verdict("A", 13 / 20)
    assert answers["avg-conf"].verdict == Verdict("A", pytest.approx(13 * 0.8 / (13 * 0.8 + 7 * 0.6)))  # type: ignore[arg-type]
    assert answers["avg-conf-all"].verdict == Verdict("A", pytest.approx(14 * 0.8 / (14 * 0.8 + 7 * 0.6)))  # type: ignore[arg-type]
    # What each method costs does not depend on its company.
    assert answers["avg-conf"].cost == answers["consistency"].cost == Cost(21, 10, 105, 0.5)
    alone = await get_estimator("entropy-spread", Texts(texts), None, TEMPLATE, Sampling()).answer("Q?", OPTIONS, None)
    assert answers["entropy-spread"] == alone


async def test_only_what_is_bound_to_come_out_the_same_is_shared() -> None:
    downstream = Texts([str(number) for number in range(20)])
    shared = SharedReplies(downstream, remembered=2)

    async def ask(**sampling: float) -> str:
        generation = await shared.complete(ASKED, Sampling(**sampling))  # type: ignore[arg-type]
        return generation.completions[0].text

    assert [await ask(temperature=1), await ask(temperature=1)] == ["0", "1"]
    assert [await ask(), await ask()] == ["2", "2"]
    assert [await ask(temperature=1, seed=1), await ask(temperature=1, seed=2)] == ["3", "4"]
    assert await ask(temperature=1, seed=1) == "3"
    assert await ask() == "5"  # forgotten: two others came since
    first, second = [await shared.complete(ASKED, Sampling(), top_logprobs=3) for _ in range(2)]
    assert first != second


async def test_failures_are_not_kept() -> None:
    class Once(Texts):
        async def complete(self, *args: object, **kwargs: object) -> Generation:
            if not self.requests:
                self.requests.append(([], Sampling(), 1))
                raise TransportError("downstream", "refused")
            return Generation([Completion("back", "stop")], Cost())

    shared = SharedReplies(Once([]))
    with pytest.raises(TransportError):
        await shared.complete(ASKED, Sampling())
    assert (await shared.complete(ASKED, Sampling())).completions[0].text == "back"


class Held:
    """Keeps requests until they are let go, and counts the samples in flight."""

    def __init__(self) -> None:
        self.in_flight: list[int] = []
        self.most = 0
        self.let_go = anyio.Event()

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        self.in_flight.append(n)
        self.most = max(self.most, sum(self.in_flight))
        try:
            await self.let_go.wait()
        finally:
            self.in_flight.remove(n)
        return Generation([Completion("x", "stop")] * n, Cost())


async def test_samples_in_flight_stay_within_the_bound() -> None:
    held = Held()
    bounded = BoundedSamples(held, 10)
    sizes: list[int] = []

    async def ask(n: int) -> None:
        sizes.append(len((await bounded.complete(ASKED, Sampling(), n=n)).completions))

    async with anyio.create_task_group() as group:
        for n in (4, 4, 4, 25, 1):
            group.start_soon(ask, n)
        await anyio.wait_all_tasks_blocked()
        assert held.in_flight == [4, 4]
        held.let_go.set()
    assert sorted(sizes) == [1, 4, 4, 4, 25]
    assert held.in_flight == []
    assert max(held.most, 25) == 25


async def test_who_leaves_the_queue_takes_nothing_along() -> None:
    held = Held()
    bounded = BoundedSamples(held, 3)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: bounded.complete(ASKED, Sampling(), n=2))
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01):
            await bounded.complete(ASKED, Sampling(), n=3)
        held.let_go.set()
    assert len((await bounded.complete(ASKED, Sampling(), n=3)).completions) == 3
