"""The former live version: by the history of changes, with those that were taken back, made by hand or never made."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prompt4trust.checksums import checked
from services.common.registry.activations import Activation, append_activation, live_before, read_activations
from services.common.registry.directory import Registry
from services.common.registry.errors import NotLiveError, RegistryError, UnknownCalibratorError
from services.common.registry.live_calibrator import live_calibrator
from tests.services.common.registry.test_registry import artifact

PAIR = artifact("x").key


def made(*changes: tuple[str | None, str]) -> list[Activation]:
    return [Activation(who="x", pair="p", previous=before, name=name, kind="activated") for before, name in changes]


def undone(before: str, name: str) -> Activation:
    return Activation(who="x", pair="p", previous=before, name=name, kind="rolled-back")


@pytest.mark.parametrize(
    ("history", "live", "expected"),
    [
        ([], "a", None),
        (made((None, "a")), "a", None),
        (made(("shipped", "a")), "a", "shipped"),
        (made((None, "a"), ("a", "b"), ("b", "c")), "c", "b"),
        ([*made((None, "a"), ("a", "b"), ("b", "c")), undone("c", "b")], "b", "a"),
        ([*made((None, "a"), ("a", "b"), ("b", "c")), undone("c", "b"), undone("b", "a")], "a", None),
        ([*made((None, "a"), ("a", "b")), undone("b", "a"), *made(("a", "c"))], "c", "a"),
        (made((None, "a"), ("a", "b"), ("b", "a")), "a", "b"),
        (made((None, "a"), ("a", "b")), "a", None),  # written down, and then not made
        (made((None, "a"), ("a", "b"), ("a", "c")), "c", "a"),
        (made((None, "a"), ("a", "b")), "by hand", "b"),
        (made((None, "a"), ("by hand", "b")), "b", "by hand"),
    ],
)
def test_what_was_live_before(history: list[Activation], live: str, expected: str | None) -> None:
    assert live_before(history, "p", live) == expected
    elsewhere = [change.model_copy(update={"pair": "q"}) for change in made((None, "z"), ("z", "y"))]
    assert live_before([*elsewhere, *history, *elsewhere], "p", live) == expected


def test_a_torn_line_spoils_none_but_itself(tmp_path: Path) -> None:
    file = tmp_path / "activations.jsonl"
    assert read_activations(file) == []
    first, second = made((None, "a"), ("a", "b"))
    append_activation(file, first)
    with file.open("ab") as torn:
        torn.write(b'{"at": "2026-0')
    append_activation(file, second)
    assert read_activations(file) == [first, second]


def published(folder: Path, *names: str) -> Registry:
    registry = Registry(folder)
    for day, name in enumerate(names, start=1):
        registry.calibrators.publish(artifact(name, day=day))
    return registry


def live(registry: Registry) -> str | None:
    found = live_calibrator(registry.calibrators.load_all(), PAIR, registry.active.calibrators())
    return found.name if found else None


def test_changes_are_taken_back_one_after_the_other_and_all_is_written_down(tmp_path: Path) -> None:
    registry = published(tmp_path, "one", "two", "three")
    started = datetime.now(UTC)
    registry.activate_calibrator("one", who="dr. x")
    registry.activate_calibrator("three", who="dr. y")
    registry.activate_calibrator("three", who="dr. z")  # changes nothing, and is not noted
    assert registry.retire_calibrator("three", who="dr. x") == "one"
    assert live(registry) == "one"
    # What was live before anything was named was the newest.
    assert registry.retire_calibrator("one", who="dr. x") == "three"
    assert live(registry) == "three"
    with pytest.raises(NotLiveError, match="nothing is known to have been live before"):
        registry.retire_calibrator("three", who="dr. x")
    found = registry.activations()
    assert [(each.who, each.previous, each.name, each.kind) for each in found] == [
        ("dr. x", "three", "one", "activated"),
        ("dr. y", "one", "three", "activated"),
        ("dr. x", "three", "one", "rolled-back"),
        ("dr. x", "one", "three", "rolled-back"),
    ]
    assert {each.pair for each in found} == {PAIR.line}
    assert all(abs(each.at - started) < timedelta(minutes=1) for each in found)


def test_what_cannot_be_retired_changes_nothing(tmp_path: Path) -> None:
    registry = published(tmp_path, "one", "two")
    registry.activate_calibrator("one")
    registry.activate_calibrator("two")
    before = (tmp_path / "active.json").read_text()
    with pytest.raises(NotLiveError, match="'one' is not live, 'two' is"):
        registry.retire_calibrator("one", who="x")
    with pytest.raises(UnknownCalibratorError):
        registry.retire_calibrator("absent", who="x")
    (tmp_path / "calibrators" / "one.json").unlink()
    with pytest.raises(RegistryError, match="no calibrator 'one'"):
        registry.retire_calibrator("two", who="x")
    assert (tmp_path / "active.json").read_text() == before
    assert len(registry.activations()) == 2


def test_a_spoilt_active_json_is_mended_by_naming_what_is_live(tmp_path: Path) -> None:
    registry = published(tmp_path, "one", "two")
    (tmp_path / "active.json").write_text('{"calibrators": ["one"]}')
    registry.activate_calibrator("one")
    assert checked((tmp_path / "active.json").read_bytes()) == {"calibrators": {PAIR.line: "one"}}


def test_what_is_live_of_other_keys_comes_back_from_the_history(tmp_path: Path) -> None:
    registry = published(tmp_path, "one", "two")
    other = PAIR.model_copy(update={"estimator": "verbalized"})
    registry.calibrators.publish(registry.calibrators.load("one").model_copy(update={"name": "x", "key": other}))
    registry.calibrators.publish(registry.calibrators.load("one").model_copy(update={"name": "y", "key": other}))
    for name in ("x", "y", "two"):
        registry.activate_calibrator(name)
    registry.retire_calibrator("y", who="dr. x")
    (tmp_path / "active.json").write_text("{")
    registry.activate_calibrator("one")
    assert registry.active.calibrators() == {PAIR.line: "one", other.line: "x"}


def test_a_bit_that_flipped_in_active_json_is_noticed(tmp_path: Path) -> None:
    registry = published(tmp_path, "one", "two")
    registry.activate_calibrator("two")
    path = tmp_path / "active.json"
    path.write_text(path.read_text().replace('"two"', '"twn"'))
    with pytest.raises(RegistryError, match="checksum does not fit"):
        registry.active.calibrators()
    # By hand, one leaves the checksum out.
    path.write_text(json.dumps({"calibrators": {PAIR.line: "one"}}))
    assert registry.active.calibrators() == {PAIR.line: "one"}
