"""The predictions table: what is written is read back, whatever a crash left behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompt4trust.estimators.base import Answer
from prompt4trust.evaluation import Prediction, PredictionLog, TableError, read_predictions
from prompt4trust.evaluation.prediction_arrays import PredictionArrays, row_clusters, signal_columns
from prompt4trust.metrics.clusters import cluster_codes
from prompt4trust.models import Cost, Guidance, TransportError
from prompt4trust.question_signals.words import DESCRIBED, word_signals
from prompt4trust.questions import Question
from prompt4trust.verdict import Invalid, Verdict

QUESTION = Question("q1", "What?", {"A": "x", "B": "y"}, "A", None, {"family": "side"})


def prediction(id_: str = "q1", text: str = "t", estimator: str = "verbalized") -> Prediction:
    question = Question(id_, "What?", {"A": "x", "B": "y"}, "A")
    return Prediction.of(question, Answer(Verdict("A", 0.5), text, estimator))


def test_an_answer_is_recorded_whole() -> None:
    guidance = Guidance("Look at the edges.", "policy-1", Cost(1, 2, 3, 0.1))
    answer = Answer(
        Verdict("B", 0.9), "said", "cgp", guidance, Cost(2, 3, 4, 0.5), {"agreement": 0.4, "x": float("inf")}
    )
    assert json.loads(Prediction.of(QUESTION, answer).line()) == {
        "id": "q1",
        "estimator": "cgp",
        "truth": "A",
        "groups": {"family": "side"},
        "answer": "B",
        "confidence": 0.9,
        "text": "said",
        "guidance": {"text": "Look at the edges.", "version": "policy-1"},
        "cost": {"calls": 2, "prompt_tokens": 3, "completion_tokens": 4, "seconds": 0.5},
        "signals": {"agreement": 0.4, **word_signals("What?", "y")},
    }


def test_a_word_that_an_answer_does_not_name_is_one_that_it_lacks() -> None:
    told = [
        Prediction.of(Question(name, text, {"A": "x"}, "A"), Answer(Verdict("A", 0.5), "t", "cgp"))
        for name, text in (("a", "Which side?"), ("b", "Which?"))
    ]
    old = Prediction(id="c", estimator="cgp", truth="A", answer="A", confidence=0.5, signals={"agreement": 0.4})
    columns = signal_columns([*told, old])
    (side,) = word_signals("side", None).keys() - {DESCRIBED}
    (which,) = word_signals("which", None).keys() - {DESCRIBED}
    assert np.array_equal(columns[side], [1, 0, np.nan], equal_nan=True)
    assert np.array_equal(columns[which], [1, 1, np.nan], equal_nan=True)
    assert np.array_equal(columns[DESCRIBED], [1, 1, np.nan], equal_nan=True)
    assert np.array_equal(columns["agreement"], [np.nan, np.nan, 0.4], equal_nan=True)


def test_questions_about_one_picture_are_told_by_a_digest() -> None:
    def row(image: str | None, id_: str) -> Prediction:
        asked = Question(id_, "What?", {"A": "x", "B": "y"}, "A", Path(image) if image else None)
        return Prediction.of(asked, Answer(Verdict("A", 0.5), "t", "cgp"))

    one, again, moved = (
        row("/data/case1/source.jpg", "a"),
        row("/data/case1/source.jpg", "b"),
        row("case1/source.jpg", "c"),
    )
    assert one.picture == again.picture == moved.picture is not None
    assert row("/data/case2/source.jpg", "d").picture != one.picture
    assert b"source" not in one.line()
    rows = [one, again, row(None, "e"), row(None, "f")]
    assert cluster_codes(PredictionArrays.of(rows).clusters, 4) is not None
    assert len(set(row_clusters(rows))) == 3


def test_an_invalid_reply_and_a_failure_are_different_things() -> None:
    invalid = Prediction.of(QUESTION, Answer(Invalid("no_answer"), "prose", "cgp"))
    assert (invalid.invalid, invalid.text, invalid.answer, invalid.failure) == ("no_answer", "prose", None, None)
    failed = Prediction.failed(QUESTION, "cgp", TransportError("policy", "gone", timed_out=True, status=504))
    assert failed.invalid is None
    assert failed.failure is not None
    assert (failed.failure.service, failed.failure.timed_out, failed.failure.status) == ("policy", True, 504)


def test_what_is_appended_can_be_read_at_once_and_later(tmp_path: Path) -> None:
    with PredictionLog(tmp_path / "run") as log:
        log.append(prediction("a"))
        assert [row.id for row in read_predictions(tmp_path / "run")] == ["a"]
        log.append(prediction("b"))
    with PredictionLog(tmp_path / "run") as log:
        assert log.has("a", "verbalized")
        assert not log.has("a", "cgp")
        assert [row.id for row in log.rows] == ["a", "b"]


def test_a_later_line_replaces_a_failure(tmp_path: Path) -> None:
    with PredictionLog(tmp_path) as log:
        log.append(Prediction.failed(QUESTION, "verbalized", TransportError("downstream", "gone")))
        assert not log.has("q1", "verbalized")
        log.append(prediction())
        assert log.has("q1", "verbalized")
    [row] = read_predictions(tmp_path)
    assert row.failure is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 400))
def test_any_half_written_last_line_is_repaired(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("run")
    path = folder / "predictions.jsonl"
    whole = prediction("a").line() + prediction("b", "line\nbreak — “quoted”").line()
    path.write_bytes(whole[: min(cut, len(whole))])
    complete = [line for line in whole.splitlines(keepends=True) if whole.index(line) + len(line) - 1 <= cut]
    with PredictionLog(folder) as log:
        assert len(list(log.rows)) == len(complete)
        log.append(prediction("c"))
    assert [row.id for row in read_predictions(folder)] == [*"ab"[: len(complete)], "c"]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_bytes(prediction("a").line() + b'{"id": 1}\n' + prediction("b").line())
    with pytest.raises(TableError, match="line 2 is not a prediction"):
        read_predictions(tmp_path)
    with pytest.raises(TableError, match="line 2"):
        PredictionLog(tmp_path)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with PredictionLog(tmp_path), pytest.raises(TableError, match="another run is writing"):
        PredictionLog(tmp_path)
    PredictionLog(tmp_path).close()


def test_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No such file"):
        read_predictions(tmp_path)


@given(st.text(), st.text())
def test_any_text_of_a_model_survives(text: str, hint: str) -> None:
    answer = Answer(Verdict("A", 1 / 3), text, "cgp", Guidance(hint, "v", Cost()))
    first = Prediction.of(QUESTION, answer)
    assert b"\n" not in first.line()[:-1]
    assert Prediction.model_validate_json(first.line()) == first


def test_half_a_surrogate_pair_does_not_end_a_run() -> None:
    row = Prediction.of(QUESTION, Answer(Invalid("no_answer"), "bad \ud800 text", "cgp"))
    assert Prediction.model_validate_json(row.line()).text == "bad ? text"
