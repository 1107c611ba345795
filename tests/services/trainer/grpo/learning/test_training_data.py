"""Training data: what the policy sees of it, and that the splits share nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt4trust.datasets import Dataset, DatasetError
from prompt4trust.prompts import load_template
from services.trainer.errors import DataError
from services.trainer.grpo.learning.training_data import check_apart, training_rows
from services.trainer.question_data import FileData, PhantomData, load_questions
from tests.services.trainer.grpo.outcomes import QUESTION


def test_the_policy_s_side_sees_neither_truth_nor_picture() -> None:
    rows = training_rows([QUESTION], [0, 0], load_template("guide-compact@1"))
    assert [set(row) for row in rows] == [{"prompt", "question_id"}] * 2
    assert "Number?" in rows[0]["prompt"][-1]["content"]


def test_phantoms_are_drawn_once(tmp_path: Path) -> None:
    data = PhantomData(kind="phantoms", n=3, split="train", seed=5)
    first = load_questions(data, tmp_path)
    stamp = next(tmp_path.glob("*/questions.csv")).stat().st_mtime_ns
    assert load_questions(data, tmp_path).fingerprint == first.fingerprint
    assert next(tmp_path.glob("*/questions.csv")).stat().st_mtime_ns == stamp
    other = load_questions(PhantomData(kind="phantoms", n=3, split="validation", seed=5), tmp_path)
    check_apart(first, other)
    with pytest.raises(DataError, match="3 question"):
        check_apart(first, first)


def test_questions_without_a_truth_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 question"):
        check_apart(Dataset("a", (QUESTION,)), Dataset("b", (QUESTION,)))


def test_a_file_that_counts_from_0_is_read_right_or_not_at_all(tmp_path: Path) -> None:
    row = {"question": "Which?", "opa": "w", "opb": "x", "opc": "y", "opd": "z"}
    path = tmp_path / "train.json"
    path.write_text("\n".join(json.dumps({**row, "id": str(n), "cop": n % 4}) for n in range(8)))
    data = FileData(kind="file", path=path)
    dataset = load_questions(data, tmp_path)
    assert (data.on_bad, dataset.skipped) == ("skip", {})
    assert [question.answer for question in dataset.questions] == list("ABCDABCD")
    path.write_text("\n".join(json.dumps({**row, "id": str(n), "cop": n}) for n in (1, 2)))
    with pytest.raises(DatasetError, match="--cop-base"):
        load_questions(data, tmp_path)
    told = FileData(kind="file", path=path, cop_base=0)
    assert [question.answer for question in load_questions(told, tmp_path).questions] == ["B", "C"]


def test_open_questions_teach_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("q,truth\nWhere?,At the apex\n")
    with pytest.raises(DataError, match="no question has a known answer"):
        load_questions(FileData(kind="file", path=path, columns={"question": "q", "answer": "truth"}), tmp_path)
