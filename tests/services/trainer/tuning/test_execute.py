"""Tuning runs in this process: stopped and taken up again, published once, and what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.tuner import Tuner
from services.common.registry.directory import Registry
from services.trainer.errors import RunError, VersionTakenError
from services.trainer.run_files.events import read_events
from services.trainer.run_files.json_lines import read_lines, read_object
from services.trainer.tuning.config import TuningConfig
from services.trainer.tuning.execute import CHECKPOINT, execute
from services.trainer.tuning.journal import describe_tuning
from services.trainer.tuning.preparing import prepare
from tests.services.common.contrastive.tiny import save_clip
from tests.services.common.contrastive.tiny_parts import save_part_towers, tiny_contrastive_parts

BASE = "tiny-comparer"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shipped model and drawn phantoms, for all tests."""
    made = tmp_path_factory.mktemp("tuning")
    save_clip(made / "shipped" / BASE)
    return made


def phantoms(split: str, n: int = 24) -> dict[str, Any]:
    return {"kind": "phantoms", "split": split, "n": n, "seed": 1}


def config(version: str = "tuned-1", **changes: Any) -> TuningConfig:
    few = {"model": BASE, "shots": 2, "epochs": 4, "batch": 4, "learning_rate": 0.5}
    data = {"train": phantoms("train"), "validation": phantoms("validation")}
    return TuningConfig.model_validate({"version": version, **data, **few, **changes})


def prepared(place: Path, run: Path, made: TuningConfig) -> Path:
    prepare(run, made, run.parent / "registry", place / "shipped", place / "data")
    return run


class StopsAfter(threading.Event):
    """Set once it was asked a number of times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def is_set(self) -> bool:
        self._looks -= 1
        return self._looks < 0


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing broke."""
    run = prepared(place, tmp_path_factory.mktemp("whole") / "run-1", config())
    result = execute(run, stop=threading.Event())
    assert (result.stopped, result.epoch) == (False, 4)
    return run


def test_a_run_leaves_progress_figures_events_and_a_model(place: Path, whole: Path) -> None:
    progress = read_object(whole / "progress.json")
    assert (progress["state"], progress["step"], progress["steps"]) == ("succeeded", 4, 4)
    assert [line["step"] for line in read_lines(whole / "metrics.jsonl")] == [1, 2, 3, 4]
    events, _ = read_events(whole, 0)
    assert [event.name for event in events] == ["step"] * 4 + ["evaluation"] * 2 + ["note"]
    shown = describe_tuning(whole)
    assert shown["metrics"]["step"] == 4
    assert shown["before"]["n"] == shown["after"]["n"] == 24
    model = whole.parent / "registry" / "contrastive" / "tuned-1"
    assert json.loads((model / "metrics.json").read_text())["after"]["metrics"]["ece"] is not None
    origin = json.loads((model / "provenance.json").read_text())
    assert (origin["run"], origin["parent"], origin["config"]["shots"]) == ("run-1", BASE, 2)
    assert len(origin["data"]["train"]["sha256"]) == 64
    tuned = ContrastiveModel.load(model)
    expected = load_file(whole / CHECKPOINT)["context"]
    assert tuned.context is not None
    assert torch.equal(tuned.context, expected)
    assert "No clinical use" in (model / "card.md").read_text()
    # The parent's own figures are not the tuned model's.
    assert not (model / ".publish-").exists()


def test_a_model_of_parts_is_tuned_to_one_that_is_made_of_the_same_parts(place: Path, tmp_path: Path) -> None:
    parts = tiny_contrastive_parts(tmp_path / "parts")
    save_part_towers(tmp_path / "shipped" / "of-parts", parts)
    run, registry = tmp_path / "run-1", tmp_path / "registry"
    asked = config(model="of-parts", epochs=1)
    prepare(run, asked, registry, tmp_path / "shipped", place / "data", tmp_path / "nowhere")
    with pytest.raises(RunError, match="tiny-pictures-package, which is not installed"):
        execute(run, stop=threading.Event())
    prepare(run, asked, registry, tmp_path / "shipped", place / "data", parts.root)
    published = execute(run, stop=threading.Event()).published
    assert published == registry / "contrastive" / "tuned-1"
    tuned = ContrastiveModel.load(published, parts=parts)
    assert tuned.context is not None
    assert torch.equal(tuned.context, load_file(run / CHECKPOINT)["context"])


def test_a_stopped_run_goes_on_and_ends_where_an_unbroken_one_does(place: Path, whole: Path, tmp_path: Path) -> None:
    run = prepared(place, tmp_path / "run-1", config())
    assert execute(run, stop=StopsAfter(2)).stopped
    assert read_object(run / "progress.json")["state"] == "cancelled"
    assert [line["step"] for line in read_lines(run / "metrics.jsonl")] == [1, 2]
    # What a kill between the two leaves: figures of an epoch that no checkpoint holds.
    with (run / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 3, "loss": 1.0}\n{"step": 4, "lo')
    assert execute(run, stop=threading.Event()).epoch == 4
    assert torch.equal(load_file(run / CHECKPOINT)["context"], load_file(whole / CHECKPOINT)["context"])
    assert list(read_lines(run / "metrics.jsonl")) == list(read_lines(whole / "metrics.jsonl"))


def test_a_run_that_was_killed_after_publication_publishes_nothing_anew(whole: Path) -> None:
    card = whole.parent / "registry" / "contrastive" / "tuned-1" / "card.md"
    before = card.stat().st_mtime_ns
    assert execute(whole, stop=threading.Event()).published == card.parent
    assert card.stat().st_mtime_ns == before


def test_names_that_are_taken_or_unknown_and_other_models_are_refused(place: Path, whole: Path, tmp_path: Path) -> None:
    registry = whole.parent / "registry"
    with pytest.raises(VersionTakenError, match="never change"):
        prepare(tmp_path / "run-2", config(), registry, place / "shipped", place / "data")
    with pytest.raises(RunError, match="neither"):
        prepare(tmp_path / "run-3", config("b", model="none"), registry, place / "shipped", place / "data")
    (tmp_path / "writer").mkdir()
    (tmp_path / "writer" / "config.json").write_text('{"model_type": "qwen2_vl"}')
    with pytest.raises(RunError, match="no contrastive model"):
        prepare(tmp_path / "run-4", config("b", model="writer"), registry, tmp_path, place / "data")


def test_a_tuned_model_can_be_tuned_further(place: Path, whole: Path) -> None:
    run = whole.parent / "run-5"
    again = config("tuned-2", model="tuned-1", epochs=1)
    prepare(run, again, whole.parent / "registry", place / "shipped", place / "data")
    assert execute(run, stop=threading.Event()).published == Registry(whole.parent / "registry").contrastive_path(
        "tuned-2"
    )


def test_questions_that_cannot_be_learnt_from_end_a_run_and_are_told(place: Path, tmp_path: Path) -> None:
    run = prepared(place, tmp_path / "run-6", config(validation=phantoms("train")))
    with pytest.raises(RunError, match="must be apart"):
        execute(run, stop=threading.Event())
    progress = read_object(run / "progress.json")
    assert progress["state"] == "failed"
    assert "must be apart" in progress["error"]


def test_a_run_goes_on_with_the_data_that_its_checkpoint_was_made_of_and_no_other(place: Path, tmp_path: Path) -> None:
    run = prepared(place, tmp_path / "run-8", config())
    assert execute(run, stop=StopsAfter(1)).stopped
    spec = read_object(run / "config.json")
    spec["config"]["train"]["n"] = 25
    (run / "config.json").write_text(json.dumps(spec))
    with pytest.raises(RunError, match=r"other data.*\(train\)"):
        execute(run, stop=threading.Event())
    assert read_object(run / "progress.json")["state"] == "failed"


@pytest.mark.parametrize("content", [b"", b"no tensors", save({"context": torch.zeros(2)})])
def test_a_checkpoint_that_cannot_be_read_ends_a_run_and_is_told(place: Path, tmp_path: Path, content: bytes) -> None:
    run = prepared(place, tmp_path / "run-9", config())
    (run / CHECKPOINT).write_bytes(content)
    with pytest.raises(RunError, match="begin a new run"):
        execute(run, stop=threading.Event())
    assert read_object(run / "progress.json")["state"] == "failed"


def test_torchs_errors_are_told_and_a_checkpoint_is_on_the_disk_before_it_counts(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(place, tmp_path / "run-10", config())
    synced: list[bool] = []
    plain = os.fsync

    def fsync(file: int) -> None:
        synced.append((run / CHECKPOINT).exists())
        plain(file)

    def broken(tuner: Tuner) -> dict[str, float]:
        raise RuntimeError(f"out of memory at {tuner.epoch}")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        assert execute(run, stop=StopsAfter(1)).stopped
    assert False in synced  # the first checkpoint's bytes, ahead of its name
    monkeypatch.setattr(Tuner, "run_epoch", broken)
    with pytest.raises(RunError, match="out of memory at 1"):
        execute(run, stop=threading.Event())
    assert read_object(run / "progress.json")["state"] == "failed"


def test_validation_that_cannot_be_measured_is_told_before_the_first_epoch(
    place: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = next(file.parent for file in (place / "data").rglob("questions.csv") if "validation" in file.parent.name)
    broken = shutil.copytree(drawn, tmp_path / "broken")
    next(broken.rglob("*.png")).write_bytes(b"no picture")
    run = prepared(place, tmp_path / "run-11", config(validation={"kind": "file", "path": str(broken)}))
    monkeypatch.setattr(Tuner, "run_epoch", lambda _: pytest.fail("an epoch was run"))
    with pytest.raises(RunError, match=r"picture|image"):
        execute(run, stop=threading.Event())
    assert read_object(run / "progress.json")["state"] == "failed"


def test_texts_are_measured_in_parts_and_a_model_is_published_without_what_lies_beside_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    plain = ContrastiveModel.encode_options

    def counted(model: ContrastiveModel, options: list[str]) -> torch.Tensor:
        sizes.append(len(options))
        return plain(model, options)

    monkeypatch.setattr(ContrastiveModel, "encode_options", counted)
    monkeypatch.setattr("services.trainer.tuning.assessment._TEXTS_AT_ONCE", 3)
    shutil.copytree(place / "shipped", tmp_path / "shipped")
    base = tmp_path / "shipped" / BASE
    (base / "onnx").mkdir()
    (base / "onnx" / "model.onnx").write_bytes(b"x")
    for name in ("notes.txt", "pytorch_model.bin", "patients.json", "optimizer.safetensors"):
        (base / name).write_bytes(b"x")
    run = tmp_path / "run-12"
    prepare(run, config(epochs=1), tmp_path / "registry", tmp_path / "shipped", place / "data")
    published = execute(run, stop=threading.Event()).published
    assert published is not None
    assert set(sizes) <= {1, 2, 3}
    own = {"card.md", "metrics.json", "provenance.json", "context.safetensors", "contrastive.json"}
    assert {file.name for file in published.iterdir()} == own | {
        file.name for file in (place / "shipped" / BASE).iterdir()
    }
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in published.iterdir())


def test_a_model_that_has_gone_is_told(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "shipped", tmp_path / "shipped")
    run = tmp_path / "run-7"
    prepare(run, config(), tmp_path / "registry", tmp_path / "shipped", place / "data")
    shutil.rmtree(tmp_path / "shipped")
    with pytest.raises(RunError):
        execute(run, stop=threading.Event())
    assert read_object(run / "progress.json")["state"] == "failed"
