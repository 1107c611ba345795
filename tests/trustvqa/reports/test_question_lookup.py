"""A run's questions are found again, or it is said why not; other questions are never shown for them."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from prompt4trust.datasets import Dataset, DatasetError, load_dataset
from prompt4trust.evaluation import Prediction, RunManifest
from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template
from tests.support.calibration_keys import decodings
from trustvqa.reports.errors import WrongDataError
from trustvqa.reports.question_lookup import find_questions


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


def write(folder: Path, *, text: str = "Number", label: str = "A", grey: int = 0) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "questions.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["Figure_path", "Question", "Choice A", "Choice B", "Answer_label"])
        for index in range(6):
            Image.new("L", (8 + grey, 8), index).save(folder / "images" / f"{index}.png")
            table.writerow([f"{index}.png", f"{text} {index}?", "x", "y", label])
    return folder


def manifest(dataset: Dataset) -> RunManifest:
    return RunManifest.describe(
        dataset, ["cgp"], downstream="d", policy="p", template=load_template("answer-compact@1"), sampling=Sampling(),
        created=datetime(2026, 1, 1, tzinfo=UTC), decoding=decodings("cgp"),
    )  # fmt: skip


def rows(dataset: Dataset) -> list[Prediction]:
    return [
        Prediction(id=each.id, estimator="cgp", truth=each.answer, answer="A", confidence=1.0)
        for each in dataset.questions
    ]


def test_the_manifest_leads_to_the_questions(data: Path) -> None:
    drawn = load_dataset(data, limit=4, seed=3)
    stored = RunManifest.model_validate_json(manifest(drawn).model_dump_json())
    assert stored.source is not None
    assert stored.source.path == str(data / "questions.csv")
    found = find_questions(stored, rows(drawn))
    assert found.questions == drawn.questions
    assert found.note == ""


def test_where_they_lie_is_no_part_of_what_a_run_is_of(data: Path, tmp_path: Path) -> None:
    here, there = load_dataset(data), load_dataset(write(tmp_path / "elsewhere"))
    assert here.source != there.source
    assert manifest(here).differences(manifest(there)) == []


def test_a_run_that_was_broken_off_is_found_by_its_questions(data: Path) -> None:
    whole = load_dataset(data)
    found = find_questions(manifest(whole), rows(whole)[:2])
    assert found.questions == whole.questions[:2]


def test_questions_that_are_gone_or_changed_are_not_shown(data: Path) -> None:
    whole = load_dataset(data)
    run, made = manifest(whole), rows(whole)
    write(data, grey=5)
    changed = find_questions(run, made)
    assert changed.questions == ()
    assert "has changed since the run" in changed.note
    assert str(data) not in changed.note  # the page is passed on; the terminal is not
    assert str(data) in changed.detail
    (data / "questions.csv").unlink()
    gone = find_questions(run, made)
    assert gone.questions == ()
    assert "not found" in gone.note
    assert "--data" in gone.detail


def test_a_run_that_does_not_say_where(data: Path) -> None:
    whole = load_dataset(data)
    run = manifest(whole).model_copy(update={"source": None})
    found = find_questions(run, rows(whole))
    assert (found.questions, "does not say where" in found.note) == ((), True)
    assert find_questions(run, rows(whole), data).questions == whole.questions


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "Other"}, "6 of the 6 questions that were asked are not in it"),
        ({"label": "B"}, "other answers are right in it"),
        ({"grey": 5}, "its questions or pictures have changed"),
    ],
)
def test_a_wrong_file_that_was_named_is_refused(data: Path, tmp_path: Path, changes: dict[str, str], said: str) -> None:
    whole = load_dataset(data)
    other = write(tmp_path / "other", **changes)  # type: ignore[arg-type]
    with pytest.raises(WrongDataError, match=said):
        find_questions(manifest(whole), rows(whole), other)
    with pytest.raises(DatasetError, match="no such file"):
        find_questions(manifest(whole), rows(whole), tmp_path / "gone.csv")
