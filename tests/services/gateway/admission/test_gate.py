"""The gate: shares of clients, early refusals, and what becomes of answers when far more is asked than is answered."""

from __future__ import annotations

import asyncio
import math
from functools import cache

import pytest

from prompt4trust.models import TransportError
from services.gateway.admission.adaptive_limit import AdaptiveLimit, FixedLimit, Outcome, QuestionLimit
from services.gateway.admission.controlled_delay import ControlledDelay
from services.gateway.admission.gate import Gate
from services.gateway.admission.return_times import ReturnTimes
from services.gateway.errors import BusyError, ShedReason
from tests.services.gateway.admission.load import Model, Outcomes, load, now
from tests.support.virtual_time import run_in_virtual_time

SLOTS, SECONDS = 8, 0.4
CAPACITY = SLOTS / SECONDS


def make_gate(
    limit: QuestionLimit,
    *,
    waiting: int = 128,
    longest_s: float = 5.0,
    standing_s: float = 1.0,
    shed: list[str] | None = None,
) -> Gate:
    clock = asyncio.get_running_loop().time
    return Gate(
        limit,
        waiting=waiting,
        delay=ControlledDelay(longest_s, standing_s, clock),
        returns=ReturnTimes(1.0, 30.0, clock),
        shed=lambda reason: shed.append(reason) if shed is not None else None,
        clock=clock,
    )


class Asked:
    """A question in a task of its own, which is in until it is told to end."""

    def __init__(self, gate: Gate, client: str = "", within_s: float = math.inf) -> None:
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_in = False
        self.done = asyncio.ensure_future(self._ask(gate, client, within_s))

    async def _ask(self, gate: Gate, client: str, within_s: float) -> None:
        async with gate.place(client, within_s):
            self.is_in = True
            await self.end

    async def answered(self) -> None:
        self.end.set_result(None)
        await self.done


async def let_run() -> None:
    """Let everything go as far as it can without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_free_place_goes_to_the_client_that_holds_the_fewest() -> None:
    async def main() -> None:
        gate = make_gate(FixedLimit(2))
        first = [Asked(gate, "ward"), Asked(gate, "ward")]
        await let_run()
        waiting = [Asked(gate, "ward") for _ in range(3)]
        await let_run()
        other = Asked(gate, "clinic")
        await let_run()
        assert (gate.in_flight, gate.waiting, other.is_in) == (2, 4, False)
        await first[0].answered()
        await let_run()
        assert other.is_in
        assert not any(each.is_in for each in waiting)
        for each in (first[1], other, *waiting):
            await each.answered()
        assert (gate.in_flight, gate.waiting) == (0, 0)

    run_in_virtual_time(main())


def test_one_client_cannot_fill_the_line() -> None:
    async def main() -> list[str]:
        shed: list[str] = []
        gate = make_gate(FixedLimit(1), waiting=4, shed=shed)
        ward = [Asked(gate, "ward") for _ in range(5)]
        await let_run()
        gate.check("clinic")
        with pytest.raises(BusyError):
            gate.check("ward")
        clinic = [Asked(gate, "clinic") for _ in range(3)]
        await let_run()
        # Two of the ward's, the last ones, have made room; the clinic's third would be its third of four places.
        assert [each.done.done() for each in (*ward, *clinic)] == [False] * 3 + [True] * 2 + [False] * 2 + [True]
        for each in (ward[3], ward[4], clinic[2]):
            with pytest.raises(BusyError):
                await each.done
        for each in (ward[0], ward[1], clinic[0], ward[2], clinic[1]):  # in turns
            await each.answered()
        return shed

    assert run_in_virtual_time(main()) == ["full"] * 4


def test_who_leaves_the_line_takes_no_place() -> None:
    async def main() -> None:
        gate = make_gate(FixedLimit(1))
        first, second, third = (Asked(gate) for _ in range(3))
        await let_run()
        second.done.cancel()
        await let_run()
        assert gate.waiting == 1
        first.end.set_result(None)
        third.done.cancel()  # called and cancelled at once: its place must not be lost
        await let_run()
        assert (gate.in_flight, gate.waiting) == (0, 0)

    run_in_virtual_time(main())


def test_a_question_that_would_have_its_answer_too_late_is_turned_away_at_once() -> None:
    async def main() -> list[str]:
        shed: list[str] = []
        gate = make_gate(FixedLimit(1), shed=shed)
        for _ in range(3):  # the gate has seen that answers take 2 s
            one = Asked(gate)
            await asyncio.sleep(2)
            await one.answered()
        one = Asked(gate, within_s=0.5)
        await let_run()
        assert one.is_in  # a place is free: perhaps it is quicker this time
        with pytest.raises(BusyError) as caught:
            gate.check("", within_s=3.0)
        assert caught.value.reason == "deadline"
        gate.check("", within_s=4.1)
        waiting = Asked(gate, within_s=4.1)
        await asyncio.sleep(2.5)  # its turn comes later than was thought, and what is left is too little
        await one.answered()
        with pytest.raises(BusyError) as caught:
            await waiting.done
        assert (caught.value.reason, waiting.is_in) == ("deadline", False)
        return shed

    assert run_in_virtual_time(main()) == ["deadline", "deadline"]


def test_where_nothing_comes_free_waits_end_after_the_longest_time() -> None:
    async def main() -> float:
        gate = make_gate(FixedLimit(1))
        one = Asked(gate)
        await let_run()
        began = now()
        with pytest.raises(BusyError):
            await Asked(gate).done
        waited = now() - began
        await one.answered()
        return waited

    assert run_in_virtual_time(main()) == pytest.approx(5.0)


class Noted:
    """A limit that notes what it is told."""

    def __init__(self, now: int) -> None:
        self.now, self.measurement = now, 0
        self.told: list[Outcome] = []

    def ended(self, outcome: Outcome, seconds: float) -> None:
        self.told.append(outcome)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TransportError("downstream", "busy", status=429), "refused"),
        (TransportError("downstream", "late", timed_out=True), "late"),
        (TransportError("downstream", "starting", status=503), "failed"),
        (TransportError("downstream", "broken", status=500), "failed"),
        (TransportError("policy", "busy", status=429), "failed"),
        (ValueError("a mistake"), "failed"),
        (asyncio.CancelledError(), "late"),
        (None, "answered"),
    ],
)
def test_what_the_limit_learns_from(error: BaseException | None, outcome: Outcome) -> None:
    async def main() -> list[Outcome]:
        gate = make_gate(limit := Noted(1))
        one = Asked(gate)
        await let_run()
        if error is None:
            await one.answered()
        else:
            one.end.set_exception(error)
            with pytest.raises(type(error)):
                await one.done
        return limit.told

    assert run_in_virtual_time(main()) == [outcome]


def test_the_limit_learns_only_while_it_is_what_keeps_questions_out() -> None:
    async def main() -> list[Outcome]:
        gate = make_gate(limit := Noted(2))
        one = Asked(gate)
        await let_run()
        await one.answered()
        assert limit.told == []
        pair = [Asked(gate), Asked(gate)]
        await let_run()
        limit.measurement += 1
        await pair[0].answered()
        return limit.told

    assert run_in_virtual_time(main()) == []


@cache
def under(times_capacity: float, *, adaptive: bool, says: bool = False, slots_after: int | None = None) -> Outcomes:
    """Outcomes of 40 s of load; the slots change after 20 s where that is said."""

    async def main() -> Outcomes:
        model = Model(SLOTS, SECONDS)

        def change(at: float) -> None:
            if slots_after is not None and at > 20:
                model.slots = slots_after

        limit = AdaptiveLimit(64, start=16) if adaptive else FixedLimit(64)
        gate = make_gate(limit, standing_s=1.0 if adaptive else math.inf)
        rate = times_capacity * CAPACITY
        return await load(gate, model, rate, 40, patience_s=4.0, says=says, during=change)

    return run_in_virtual_time(main())


def test_far_more_than_can_be_answered_costs_hardly_an_answer() -> None:
    ordinary = under(1, adaptive=True).rate(0, 40)
    assert ordinary > 0.85 * CAPACITY
    flooded = under(4, adaptive=True)
    assert flooded.rate(10, 40) > 0.9 * ordinary
    assert flooded.quantile(0.99, since=10) < 3.0
    # The same load breaks a gateway that lets in as many as it always does: nearly every answer comes too late.
    assert under(4, adaptive=False).rate(10, 40) < 0.5 * ordinary


def test_clients_that_say_how_long_they_wait_are_never_kept_for_nothing() -> None:
    flooded = under(4, adaptive=True, says=True)
    assert flooded.rate(10, 40) > 0.85 * CAPACITY
    assert len(flooded.late) < 0.05 * len(flooded.answered)


def test_models_that_do_half_of_what_they_did_are_asked_for_that() -> None:
    halved = under(2, adaptive=True, slots_after=SLOTS // 2)
    assert halved.rate(10, 20) > 0.85 * CAPACITY
    assert halved.rate(30, 40) > 0.85 * CAPACITY / 2
    assert halved.quantile(0.99, since=30) < 4.0


def test_those_turned_away_are_told_different_times() -> None:
    told = under(4, adaptive=True).times_told
    assert min(told) >= 1
    assert max(told) <= 30
    assert len({math.ceil(each) for each in told}) > 10


REASONS: tuple[ShedReason, ...] = ("full", "wait", "deadline")


def test_every_reason_has_words() -> None:
    from services.gateway.web.refusals import busy_problem

    said = {busy_problem(BusyError(reason, 3.0), 5.0).detail for reason in REASONS}
    assert len(said) == len(REASONS)
    assert busy_problem(BusyError("wait", 3.0), 5.0).retry_after == 3.0
    assert busy_problem(BusyError("full"), 5.0).retry_after == 5.0
