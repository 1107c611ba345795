"""Comparing with references: bounded in what it takes, however many there are."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio

from prompt4trust.picture_files import PREPARATION
from prompt4trust.shift import PictureAndWords
from services.gateway.answering.familiarity import FamiliarityJudge
from services.gateway.shelves.references import ShelvedReference
from tests.services.gateway.answering.test_shift import a_query, make_reference


async def test_a_registry_full_of_references_does_not_hold_the_event_loop() -> None:
    """Each costs something, also one that keeps sums alone; the newest are looked at ahead, as far as there is time."""
    reference = make_reference()
    made = reference.reference()
    dates = [datetime(2026, 1, 1 + day, tzinfo=UTC) for day in range(28)]
    shelved = [ShelvedReference(reference.model_copy(update={"created": date}), made, "unused") for date in dates]
    judge, query = FamiliarityJudge(0.99, PREPARATION, anyio.CapacityLimiter(1)), a_query()
    found = await judge.look(query, shelved)
    cost = made.cost((await query.described)[reference.descriptor])
    assert 0 < len(found) < len(shelved)
    assert (len(found) + 1) * cost > 1_500 >= len(found) * cost
    long = PictureAndWords().describe(None, " ".join(map(str, range(2_000))), {})
    assert made.cost(long) > 1_500
