"""Probes: questions spoilt in a known way, and answers paired with the unspoilt ones."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest
from PIL import Image

from prompt4trust.datasets import Dataset
from prompt4trust.errors import ProbeError
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.predictions import Failure
from prompt4trust.evaluation.probes import compare, spoil
from prompt4trust.questions import Question

OPTIONS = MappingProxyType({"A": "Round", "B": "Oval", "C": "Lobulated"})


def test_a_blank_picture_keeps_size_truth_and_id(tmp_path: Path) -> None:
    Image.new("RGB", (31, 17), (200, 0, 0)).save(tmp_path / "red.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    asked = Question("q1", "Shape?", OPTIONS, "B", tmp_path / "red.png", {"family": "shape"})
    others = (Question("q2", "Shape?", OPTIONS, "B"), Question("q3", "?", OPTIONS, "A", tmp_path / "broken.png"))
    made = spoil(Dataset("shapes", (asked, *others)), "blank-image", tmp_path / "new" / "pictures")
    [question] = made.questions
    assert (question.id, question.answer, question.options, question.groups) == ("q1", "B", OPTIONS, asked.groups)
    assert question.image is not None
    with Image.open(question.image) as picture:
        assert (picture.size, picture.getextrema()) == ((31, 17), (128, 128))
    assert made.skipped == {"no picture to blank": 1, "the picture does not open": 1}
    assert made.fingerprint != Dataset("shapes", (asked,)).fingerprint
    again = spoil(Dataset("shapes", (asked,)), "blank-image", tmp_path / "new" / "pictures")
    assert again.fingerprint == made.fingerprint


def test_none_of_the_above_takes_the_right_options_place(tmp_path: Path) -> None:
    unknown = Question("q2", "Shape?", OPTIONS)
    known = {"A": "Oval", "B": "none of the above."}
    questions = (Question("q1", "Shape?", OPTIONS, "B"), unknown, Question("q3", "Shape?", known, "A"))
    made = spoil(Dataset("shapes", questions), "right-option-removed", tmp_path)
    [question] = made.questions
    assert question.options == {"A": "Round", "B": "None of the above", "C": "Lobulated"}
    assert question.answer == "B"
    assert sum(made.skipped.values()) == 2


def test_a_probe_that_fits_no_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="blank-image: no question can be asked"):
        spoil(Dataset("words", (Question("q1", "Shape?", OPTIONS, "B"),)), "blank-image", tmp_path)


def row(name: str, truth: str, answer: str | None, confidence: float | None, estimator: str = "cgp") -> Prediction:
    invalid = None if answer else "no_answer"
    return Prediction(id=name, estimator=estimator, truth=truth, answer=answer, confidence=confidence, invalid=invalid)


def test_figures_by_hand() -> None:
    plain = [row("1", "A", "A", 0.9), row("2", "A", "B", 0.7), row("3", "A", "A", 0.5), row("4", "A", "A", 0.5)]
    spoilt = [
        *(row("1", "A", "B", 0.95), row("2", "A", "A", 0.3), row("3", "A", None, None)),
        Prediction(id="4", estimator="cgp", truth="A", failure=Failure(service="downstream", detail="away")),
        row("9", "A", "A", 0.1),
    ]
    [cgp, none] = compare(plain, spoilt, ["cgp", "verbalized"], resamples=200)
    assert (cgp.estimator, cgp.n, cgp.paired) == ("cgp", 3, 2)
    assert cgp.accuracy == pytest.approx((2 / 3, 1 / 3))
    assert cgp.mean_confidence == pytest.approx((0.8, 0.625))
    assert cgp.moved.value == pytest.approx((0.05 - 0.4) / 2)
    assert (cgp.moved.low, cgp.moved.high) == pytest.approx((-0.4, 0.05))
    assert cgp.confident_error_share == 0.5
    assert (none.n, none.accuracy, none.moved.value, none.confident_error_share) == (0, (None, None), None, None)
