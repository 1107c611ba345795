"""The line of batches at the gate: behind people, and never forgotten."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from services.gateway.admission.adaptive_limit import FixedLimit
from services.gateway.admission.gate import Gate
from services.gateway.errors import BusyError
from tests.services.gateway.admission.load import now
from tests.services.gateway.admission.test_gate import Asked, let_run, make_gate
from tests.support.virtual_time import run_in_virtual_time


class Patient(Asked):
    """A line of a batch."""

    async def _ask(self, gate: Gate, client: str, within_s: float) -> None:
        async with gate.patient_place(client, within_s):
            self.is_in = True
            await self.end


def test_people_go_first_and_a_batch_takes_what_they_leave() -> None:
    async def main() -> None:
        gate = make_gate(FixedLimit(2))
        lines = [Patient(gate, "ward (batch)", 1000.0) for _ in range(4)]
        await let_run()
        assert (gate.in_flight, gate.patient_waiting, gate.waiting) == (2, 2, 0)
        person = Asked(gate, "clinic")
        await let_run()
        assert (person.is_in, gate.waiting) == (False, 1)
        await lines[0].answered()
        await let_run()
        assert person.is_in
        assert [each.is_in for each in lines] == [True, True, False, False]
        await person.answered()
        await let_run()
        assert [each.is_in for each in lines] == [True, True, True, False]
        for each in lines[1:]:
            await each.answered()
        assert (gate.in_flight, gate.patient_waiting) == (0, 0)

    run_in_virtual_time(main())


def test_one_place_in_ten_is_a_batch_s_while_people_ask_without_a_pause() -> None:
    async def main() -> None:
        gate = make_gate(FixedLimit(1))
        before = Asked(gate, "ward")
        await let_run()
        line, people = Patient(gate, "ward (batch)", 1000.0), [Asked(gate, "ward") for _ in range(12)]
        await let_run()
        turns = 0
        while not line.is_in:
            await before.answered()
            await let_run()
            turns += 1
            before = next((each for each in people if each.is_in and not each.done.done()), line)
        assert turns == 10
        while people:
            await before.answered()
            await let_run()
            people = [each for each in people if not each.done.done()]
            before = next((each for each in people if each.is_in), before)
        assert gate.in_flight == 0

    run_in_virtual_time(main())


def test_batches_share_what_is_left_and_nobody_s_wait_is_reckoned_with_them() -> None:
    async def main() -> None:
        gate = make_gate(FixedLimit(2), waiting=1)
        one = [Patient(gate, "one", 1000.0) for _ in range(50)]
        await let_run()
        other = Patient(gate, "other", 1000.0)
        await let_run()
        gate.check("person")  # fifty wait, and none of them ahead of a person
        await one[0].answered()
        await let_run()
        assert other.is_in
        for each in [*one[1:], other]:
            each.done.cancel()
        await let_run()
        assert (gate.in_flight, gate.patient_waiting) == (0, 0)

    run_in_virtual_time(main())


def test_a_line_whose_turn_does_not_come_is_told_so() -> None:
    async def main() -> None:
        shed: list[str] = []
        gate = make_gate(FixedLimit(1), shed=shed)
        person = Asked(gate, "ward")
        await let_run()
        began = now()
        with pytest.raises(BusyError):
            async with gate.patient_place("batch", 600.0):
                pass
        assert now() - began == pytest.approx(600.0)
        assert shed == ["wait"]
        await person.answered()

    run_in_virtual_time(main())


def test_a_line_that_is_given_up_as_its_turn_comes_leaves_the_place_to_the_next() -> None:
    async def main() -> None:
        gate = make_gate(FixedLimit(1))
        person = Asked(gate, "ward")
        await let_run()
        line, behind = Patient(gate, "a", 1000.0), Patient(gate, "b", 1000.0)
        await let_run()
        person.end.set_result(None)
        await asyncio.sleep(0)
        line.done.cancel()
        with suppress(asyncio.CancelledError):
            await line.done
        await let_run()
        assert behind.is_in
        await behind.answered()
        assert gate.in_flight == 0

    run_in_virtual_time(main())
