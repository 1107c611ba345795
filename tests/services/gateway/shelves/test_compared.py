"""References that questions are compared with while the models answer: those that evidence may name, and no others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from prompt4trust.picture_files import PREPARATION
from prompt4trust.shift import ReferenceArtifact
from services.common.registry.directory import Registry
from services.gateway.shelves.calibrators import CalibratorShelf
from services.gateway.shelves.evidence import Shelves
from services.gateway.shelves.guards import GuardShelf
from services.gateway.shelves.references import ReferenceShelf
from tests.services.gateway.answering.test_shift import make_reference
from tests.services.gateway.conftest import MODEL, make_calibrator


@pytest.fixture(scope="module")
def reference() -> ReferenceArtifact:
    return make_reference()


def named(reference: ReferenceArtifact, name: str, dataset: str, days: int = 0) -> ReferenceArtifact:
    created = reference.created + timedelta(days=days)
    return reference.model_copy(update={"name": name, "dataset": dataset, "created": created})


async def compared(registry: Registry, downstream: str = MODEL) -> list[str]:
    shelves = Shelves(
        CalibratorShelf(registry, 0), GuardShelf(registry, 0, 0.05), ReferenceShelf(registry, 0, 0.99), lambda _: None
    )
    await shelves.refresh()
    found = [each.artifact.name for each in shelves.compared(downstream, PREPARATION)]
    assert [each.artifact.name for each in shelves.compared(downstream, PREPARATION)] == found
    return found


async def test_only_the_newest_of_the_data_that_a_live_calibrator_was_fitted_on(
    tmp_path: Path, reference: ReferenceArtifact
) -> None:
    registry = Registry(tmp_path)
    for each in (
        named(reference, "older", "phantom-vqa"),
        named(reference, "newer", "phantom-vqa", days=1),
        named(reference, "of-other-data", "something-else", days=2),
    ):
        registry.references.publish(each)
    assert await compared(registry) == []
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    assert await compared(registry) == ["newer"]
    assert await compared(registry, "another-model") == []


async def test_what_is_published_later_is_compared_with_from_then_on(
    tmp_path: Path, reference: ReferenceArtifact
) -> None:
    registry = Registry(tmp_path)
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    shelves = Shelves(
        CalibratorShelf(registry, 0), GuardShelf(registry, 0, 0.05), ReferenceShelf(registry, 0, 0.99), lambda _: None
    )
    await shelves.refresh()
    assert shelves.compared(MODEL, PREPARATION) == ()
    registry.references.publish(named(reference, "discs", "phantom-vqa"))
    await shelves.refresh()
    assert [each.artifact.name for each in shelves.compared(MODEL, PREPARATION)] == ["discs"]
