"""The registry's promises: names that stay inside, writes that are whole, seeding that repeats without harm."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.checksums import checked
from prompt4trust.picture_files import PREPARATION
from prompt4trust.selection import CheckedAnswer, GuardArtifact, fit_guard
from prompt4trust.shift import PictureAndWords, fit_reference
from services.common.registry.directory import Registry
from services.common.registry.errors import NotLiveError, RegistryError
from services.common.registry.live_calibrator import live_calibrator
from tests.support.calibration_keys import whole_key

SHIPPED = Path(__file__).resolve().parents[4] / "models"


def add_policy(directory: Path, name: str, mark: str = "") -> Path:
    path = directory / name
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"weights" * 10_000)
    (path / "card.md").write_text(mark)
    return path


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    for name in ("policy-1", "policy-2"):
        add_policy(registry.root / "policies", name)
    return registry


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    directory = tmp_path / "models"
    add_policy(directory, "policy-mini-1", "shipped")
    add_policy(directory, "policy-mini-2", "shipped")
    add_policy(directory, "downstream-mini-1")
    (directory / "policy-unfinished").mkdir()
    (directory / "calibrators").mkdir()
    (directory / "calibrators" / "platt.json").write_text('{"shipped": true}')
    return directory


def test_an_empty_registry_has_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "absent")
    assert registry.policies() == []
    assert registry.active.policy() is None
    assert registry.active.stamp() is None
    assert registry.calibrators.load_all() == []
    assert registry.calibrators.stamp() == ()
    assert registry.ensure_active() is None
    assert not registry.root.exists()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../policy-1", "a/b", "a\\b", "/etc", ".hidden", "a b", "a\n", "ä", "a" * 129, "a\0"]
)
def test_names_that_could_leave_the_directory_are_refused(registry: Registry, name: str) -> None:
    for act in (registry.policy_path, registry.activate_policy):
        with pytest.raises(RegistryError, match="is not a valid name"):
            act(name)
    assert registry.active.policy() is None


def test_an_unknown_version_cannot_be_activated(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="no policy version 'policy-9'"):
        registry.activate_policy("policy-9")


def test_activation_is_written_and_read_back(registry: Registry) -> None:
    registry.activate_policy("policy-2")
    assert checked((registry.root / "active.json").read_bytes()) == {"policy": "policy-2"}
    assert Registry(registry.root).active.policy() == "policy-2"


def test_other_entries_of_active_json_are_kept(registry: Registry) -> None:
    (registry.root / "active.json").write_text('{"policy": "policy-1", "note": "by hand"}')
    registry.activate_policy("policy-2")
    assert checked((registry.root / "active.json").read_bytes()) == {"policy": "policy-2", "note": "by hand"}


@pytest.mark.parametrize("content", ["", "{", "[]", '"policy-1"'])
def test_a_spoilt_active_json_is_said_to_be_so_and_mended_by_activation(registry: Registry, content: str) -> None:
    (registry.root / "active.json").write_text(content)
    with pytest.raises(RegistryError, match=r"active\.json"):
        registry.active.policy()
    with pytest.raises(RegistryError, match=r"active\.json"):
        registry.ensure_active("policy-1")
    registry.activate_policy("policy-1")
    assert registry.active.policy() == "policy-1"


def test_every_write_of_active_json_changes_its_stamp(registry: Registry) -> None:
    stamps = []
    for name in ("policy-1", "policy-2", "policy-1", "policy-1"):
        registry.activate_policy(name)
        stamps.append(registry.active.stamp())
        assert registry.active.stamp() == stamps[-1]
    assert all(first != second for first, second in itertools.pairwise(stamps))


def test_a_write_that_fails_leaves_the_old_content(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.activate_policy("policy-1")

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        registry.activate_policy("policy-2")
    assert registry.active.policy() == "policy-1"
    assert [path.name for path in registry.root.iterdir() if path.is_file()] == ["active.json"]


def test_readers_never_see_half_a_write(registry: Registry) -> None:
    registry.activate_policy("policy-1")
    stop = threading.Event()
    faults: list[Exception] = []

    def read() -> None:
        while not stop.wait(0.001):
            try:
                assert registry.active.policy() in ("policy-1", "policy-2")
            except Exception as error:
                faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(50):
        registry.activate_policy(f"policy-{turn % 2 + 1}")
    stop.set()
    for reader in readers:
        reader.join()
    assert faults == []


def test_seeding_copies_what_is_shipped_and_lacking(shipped: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.seed(shipped)
    assert registry.policies() == ["policy-mini-1", "policy-mini-2"]
    assert (registry.policy_path("policy-mini-1") / "card.md").read_text() == "shipped"
    assert [name for name, _, _ in registry.calibrators.stamp()] == ["platt.json"]
    assert registry.active.policy() is None


def test_seeding_again_touches_nothing(shipped: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.seed(shipped)
    (registry.policy_path("policy-mini-1") / "card.md").write_text("edited")
    (registry.root / "calibrators" / "platt.json").write_text("edited")
    registry.activate_policy("policy-mini-1")
    before = {path: path.stat().st_mtime_ns for path in registry.root.rglob("*")}
    registry.seed(shipped)
    assert registry.ensure_active("policy-mini-2") == "policy-mini-1"
    assert {path: path.stat().st_mtime_ns for path in registry.root.rglob("*")} == before


def test_seeding_by_several_at_once_ends_well(shipped: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    start = threading.Barrier(6)
    faults: list[Exception] = []

    def seed() -> None:
        start.wait()
        try:
            registry.seed(shipped)
            registry.ensure_active("policy-mini-1")
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=seed) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert registry.policies() == ["policy-mini-1", "policy-mini-2"]
    assert sorted(path.name for path in (registry.root / "policies").iterdir()) == ["policy-mini-1", "policy-mini-2"]
    assert registry.active.policy() == "policy-mini-1"


def test_a_seed_that_fails_half_way_leaves_no_half_version(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path, **_: object) -> None:
        (Path(target) / "config.json").write_text("{}")
        raise OSError(28, "No space left on device")

    registry = Registry(tmp_path / "registry")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", fail)
        with pytest.raises(OSError, match="No space"):
            registry.seed(shipped)
    assert registry.policies() == []
    assert list((registry.root / "policies").iterdir()) == []
    registry.seed(shipped)
    assert registry.policies() == ["policy-mini-1", "policy-mini-2"]


def test_the_first_live_version_is_the_preferred_one_or_else_the_last(registry: Registry) -> None:
    assert registry.ensure_active("policy-1") == "policy-1"
    (registry.root / "active.json").unlink()
    assert registry.ensure_active("policy-9") == "policy-2"
    (registry.root / "active.json").unlink()
    assert registry.ensure_active() == "policy-2"


def test_what_a_crash_left_behind_is_no_version(registry: Registry) -> None:
    add_policy(registry.root / "policies", ".policy-3.x7f")
    (registry.root / "policies" / "policy-4").mkdir()
    assert registry.policies() == ["policy-1", "policy-2"]


def test_a_calibrator_that_cannot_be_read_is_left_out(registry: Registry) -> None:
    (registry.root / "calibrators").mkdir()
    (registry.root / "calibrators" / "broken.json").write_text("{")
    assert registry.calibrators.load_all() == []


def artifact(name: str, estimator: str = "cgp", day: int = 1) -> CalibratorArtifact:
    return CalibratorArtifact(
        name=name, family="platt", parameters={"slope": 1.0, "intercept": 0.0}, n=20, dataset="d",
        key=whole_key(downstream="m", policy=None, estimator=estimator, answer_template="t@1"),
        data_hash="sha256:" + "0" * 64, created=datetime(2026, 1, day, tzinfo=UTC), seed=0,
        metrics_before={}, metrics_after={},
    )  # fmt: skip


def test_a_live_calibrator_is_named_for_its_pair_and_the_policy_stays(registry: Registry) -> None:
    registry.activate_policy("policy-1")
    for each in (artifact("one"), artifact("two", day=2), artifact("other", "verbalized")):
        registry.calibrators.publish(each)
    pair = artifact("one").key
    assert registry.active.calibrators() == {}
    newest = live_calibrator(registry.calibrators.load_all(), pair, {})
    assert newest is not None
    assert newest.name == "two"
    assert registry.activate_calibrator("one") is None
    assert registry.activate_calibrator("other") is None
    assert checked((registry.root / "active.json").read_bytes()) == {
        "policy": "policy-1",
        "calibrators": {pair.line: "one", artifact("other", "verbalized").key.line: "other"},
    }
    chosen = live_calibrator(registry.calibrators.load_all(), pair, registry.active.calibrators())
    assert chosen is not None
    assert chosen.name == "one"
    # Where the one that was chosen is gone, no other takes its place.
    rest = [each for each in registry.calibrators.load_all() if each.name != "one"]
    assert live_calibrator(rest, pair, registry.active.calibrators()) is None
    # Named for one pair, it is not applied to another, whatever the file says.
    elsewhere = artifact("x", "entropy").key
    assert live_calibrator([artifact("one")], elsewhere, {elsewhere.line: "one"}) is None
    registry.activate_policy("policy-2")
    assert registry.activate_calibrator("two") == "one"
    assert registry.active.policy() == "policy-2"


def test_what_a_newer_version_ships_takes_not_the_place_of_one_made_live(tmp_path: Path) -> None:
    shipped, registry = Registry(tmp_path / "shipped"), Registry(tmp_path / "registry")
    for each, where in (artifact("older"), registry), (artifact("newer", day=2), shipped):
        where.calibrators.publish(each)
    key = artifact("older").key

    def live() -> str | None:
        found = live_calibrator(registry.calibrators.load_all(), key, registry.active.calibrators())
        return None if found is None else found.name

    registry.activate_calibrator("older")
    registry.seed_artifacts(shipped.root)
    assert live() == "older"
    registry.activate_calibrator("newer")
    assert live() == "newer"
    registry.activate_calibrator("older")  # and back
    assert live() == "older"


def test_what_is_no_calibrator_cannot_be_made_live(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="there is no calibrator 'absent'"):
        registry.activate_calibrator("absent")
    with pytest.raises(RegistryError, match="not a valid name"):
        registry.activate_calibrator("../policies/policy-1/config")
    (registry.root / "calibrators").mkdir()
    (registry.root / "calibrators" / "broken.json").write_text("{")
    with pytest.raises(RegistryError, match="'broken' cannot be read"):
        registry.activate_calibrator("broken")
    (registry.root / "active.json").write_text('{"calibrators": ["one"]}')
    with pytest.raises(RegistryError, match=r"active\.json's calibrators"):
        registry.active.calibrators()


def test_one_that_fits_no_answer_is_never_live(registry: Registry) -> None:
    old = artifact("old").model_copy(update={"key": artifact("old").key.model_copy(update={"decoding": None})})
    registry.calibrators.publish(old)
    assert live_calibrator([old], old.key, {old.key.line: "old"}) is None
    with pytest.raises(RegistryError, match="'old' is of an older version and fits no answer: calibrate again"):
        registry.activate_calibrator("old")
    with pytest.raises(NotLiveError):
        registry.retire_calibrator("old", who="dr. x")


def test_two_that_write_active_json_at_once_lose_nothing(registry: Registry) -> None:
    names = [f"c{index}" for index in range(8)]
    for name in names:
        registry.calibrators.publish(artifact(name, estimator=name))
    with ThreadPoolExecutor(9) as pool:
        list(pool.map(registry.activate_calibrator, names))
        pool.submit(registry.activate_policy, "policy-2").result()
    assert sorted(registry.active.calibrators().values()) == names
    assert registry.active.policy() == "policy-2"


def guard(name: str) -> GuardArtifact:
    answers = [CheckedAnswer(f"q{index}", index % 10 / 10, index % 10 > 4, "A") for index in range(100)]
    pair = whole_key(downstream="d", policy=None, estimator="verbalized", answer_template="answer-compact@1")
    return fit_guard(answers, name=name, key=pair, dataset="x", clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))


def test_guards_are_published_listed_and_seeded(tmp_path: Path) -> None:
    shipped, registry = Registry(tmp_path / "shipped"), Registry(tmp_path / "registry")
    assert registry.guards.load_all() == []
    before = registry.guards.stamp()
    shipped.guards.publish(guard("first"))
    registry.seed_artifacts(tmp_path / "shipped")
    assert registry.guards.load_all() == [guard("first")]
    assert registry.guards.stamp() != before
    # What is there is never touched by what is shipped.
    mine = guard("first").model_copy(update={"dataset": "mine"})
    registry.guards.publish(mine)
    registry.seed_artifacts(tmp_path / "shipped")
    assert registry.guards.load_all() == [mine]
    (tmp_path / "registry" / "guards" / "spoilt.json").write_text("[]")
    assert registry.guards.load_all() == [mine]
    with pytest.raises(RegistryError, match="not a valid name"):
        registry.guards.publish(mine.model_copy(update={"name": "../elsewhere"}))


def test_references_are_published_listed_and_seeded(tmp_path: Path) -> None:
    describer = PictureAndWords()
    reference = fit_reference(
        [describer.describe(None, f"Which side of part {index} is it?", {"A": "Left"}) for index in range(300)],
        describer,
        name="made-up",
        dataset="made-up",
        questions="sha256:" + "0" * 64,
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    shipping, registry = Registry(tmp_path / "models"), Registry(tmp_path / "registry")
    path = shipping.references.publish(reference)
    assert path == tmp_path / "models" / "references" / "made-up.json"
    assert registry.references.load_all() == []
    assert registry.references.stamp() == ()
    registry.seed(shipping.root)
    assert registry.references.load_all() == [reference]
    (registry.root / "references" / "spoilt.json").write_text("{}")
    before = registry.references.stamp()
    assert registry.references.load_all() == [reference]
    registry.references.publish(reference.model_copy(update={"seed": 1}))
    assert registry.references.stamp() != before
    (registry.root / "references" / "made-up.json").write_text("kept")
    registry.seed(shipping.root)
    assert (registry.root / "references" / "made-up.json").read_text() == "kept"
    with pytest.raises(RegistryError, match="not a valid name"):
        registry.references.publish(reference.model_copy(update={"name": "../up"}))


def test_what_ships_is_read_whole_and_carries_checksums() -> None:
    shipped = Registry(SHIPPED)
    for files in (shipped.calibrators, shipped.guards, shipped.references):
        found, unreadable = files.load_readable()
        assert found
        assert unreadable == []
    for folder in ("calibrators", "guards", "references"):
        for path in (SHIPPED / folder).glob("*.json"):
            assert '"checksum": "sha256:' in path.read_text(), path
