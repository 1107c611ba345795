"""The parts whose rules are easier to see apart: calibrators on the shelf, the decision, the settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from prompt4trust.calibration import CalibrationKey
from services.common.registry.directory import Registry
from services.gateway.answering.rules import decide_by_threshold
from services.gateway.settings import GatewaySettings
from services.gateway.shelves.calibrators import CalibratorShelf, FittedCalibrator
from tests.services.gateway.conftest import MODEL, TEMPLATE, make_calibrator
from tests.support.calibration_keys import whole_key

PAIR = whole_key(downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE)


async def live_of(shelf: CalibratorShelf, key: CalibrationKey = PAIR) -> FittedCalibrator | None:
    await shelf.refresh()
    return shelf.content.live(key)


@pytest.mark.parametrize(
    "change",
    [{"downstream": "model-2"}, {"policy": "policy-2"}, {"policy": None}, {"estimator": "verbalized"},
     {"answer_template": "answer-compact@2"}],
)  # fmt: skip
async def test_a_calibrator_is_found_for_its_own_pair_alone(tmp_path: Path, change: dict[str, str | None]) -> None:
    registry = Registry(tmp_path)
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    shelf = CalibratorShelf(registry, 0)
    assert await live_of(shelf) is not None
    assert await live_of(shelf, PAIR.model_copy(update=change)) is None


async def test_the_newest_of_several_calibrators_counts(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    older = make_calibrator("cgp", "policy-1", name="z-older")
    registry.calibrators.publish(older)
    registry.calibrators.publish(older.model_copy(update={"name": "a-newer", "created": older.created + timedelta(1)}))
    found = await live_of(CalibratorShelf(registry, 0))
    assert found is not None
    assert found.artifact.name == "a-newer"


async def test_what_was_made_live_counts_whatever_is_newer(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    older = make_calibrator("cgp", "policy-1", name="older")
    registry.calibrators.publish(older)
    registry.calibrators.publish(older.model_copy(update={"name": "newer", "created": older.created + timedelta(1)}))
    shelf = CalibratorShelf(registry, 0)

    async def live() -> str | None:
        found = await live_of(shelf)
        return found.artifact.name if found else None

    assert await live() == "newer"
    assert registry.activate_calibrator("older") is None
    assert await live() == "older"
    assert registry.activate_calibrator("newer") == "older"
    assert await live() == "newer"
    assert shelf.live == {PAIR.line: "newer"}

    # A spoilt file changes nothing. Of a live calibrator that is gone none takes the place: it was chosen over them.
    (tmp_path / "active.json").write_text("{")
    assert await live() == "newer"
    registry.activate_calibrator("older")
    assert await live() == "older"
    (tmp_path / "calibrators" / "older.json").write_text("{")
    assert await live() is None
    assert shelf.content.misfit(PAIR) == "the one that was made live, older, is not in the registry or cannot be read"


async def test_a_gateway_that_starts_on_a_spoilt_active_json_applies_none(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    older = make_calibrator("cgp", "policy-1", name="older")
    registry.calibrators.publish(older)
    registry.calibrators.publish(older.model_copy(update={"name": "newer", "created": older.created + timedelta(1)}))
    registry.activate_calibrator("older")
    active = tmp_path / "active.json"
    active.write_bytes(active.read_bytes()[:-9])
    shelf = CalibratorShelf(registry, 0)
    assert await live_of(shelf) is None
    assert "active.json" in (shelf.content.misfit(PAIR) or "")
    registry.activate_calibrator("older")  # which mends it
    found = await live_of(shelf)
    assert found is not None
    assert found.artifact.name == "older"


async def test_the_registry_is_looked_at_no_more_often_than_told(tmp_path: Path) -> None:
    now = 100.0
    registry = Registry(tmp_path)
    shelf = CalibratorShelf(registry, 5, clock=lambda: now)
    assert await live_of(shelf) is None
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    now = 104.9
    assert await live_of(shelf) is None
    now = 105.0
    assert await live_of(shelf) is not None
    registry.calibrators.publish(make_calibrator("verbalized", None))
    assert len(shelf.names) == 1
    await shelf.refresh(at_once=True)
    assert len(shelf.names) == 2


@pytest.mark.parametrize(
    ("confidence", "decision"), [(0.7, "answer"), (0.6999, "defer"), (1.0, "answer"), (0.0, "defer")]
)
def test_a_confidence_at_the_threshold_is_enough(confidence: float, decision: str) -> None:
    # In binary 1 - 0.9 is a little less than 0.1 and 1 - 0.3 not quite 0.7: the border must be where it is said to be.
    assert decide_by_threshold(confidence, max_risk=0.3, threshold=0.5, why_not=None, has_verdict=True)[0] == decision
    assert decide_by_threshold(0.1, max_risk=0.9, threshold=0.5, why_not=None, has_verdict=True)[0] == "answer"


def test_every_reason_names_no_guarantee() -> None:
    for confidence in (None, 0.2, 0.9):
        _, basis = decide_by_threshold(confidence, max_risk=None, threshold=0.5, why_not="it is open", has_verdict=True)
        assert basis.guarantee is False
        assert basis.reason.endswith(".")


def test_the_notice_follows_the_models() -> None:
    def notice(**chosen: str) -> str:
        return GatewaySettings(**chosen).notice_text  # type: ignore[arg-type]

    assert "Miniature demonstration models" in notice(downstream_model="downstream-mini-1")
    assert "not a medical device" in notice(downstream_model="Qwen2-VL-2B-Instruct")
    assert notice(notice="Ask first.") == "Ask first."


@pytest.mark.parametrize("wrong", [{"max_image_pixels": 10**9}, {"confidence_threshold": 1.1}, {"max_in_flight": 0}])
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**wrong)  # type: ignore[arg-type]
