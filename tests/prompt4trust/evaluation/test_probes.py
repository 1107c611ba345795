"""Probes: questions spoilt in a known way, and answers paired with the unspoilt ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import MappingProxyType

import pytest
from PIL import Image

from prompt4trust.datasets import Dataset
from prompt4trust.errors import ProbeError
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.predictions import Failure
from prompt4trust.evaluation.probes import compare, pointed_at, spoil
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


def four(number: int) -> Question:
    options = MappingProxyType({"A": "Round", "B": "Oval", "C": "Lobulated", "D": "Spiculated"})
    return Question(f"q{number}", "Shape?", options, "ABCD"[number % 4])


@pytest.mark.parametrize("probe", ["pressure", "wrong-context"])
def test_a_probe_points_at_a_wrong_option_and_leaves_the_rest(probe: str, tmp_path: Path) -> None:
    questions = tuple(four(number) for number in range(600))
    made = spoil(Dataset("shapes", (*questions, Question("open", "Shape?"))), probe, tmp_path)
    assert len(made.questions) == 600
    assert made.skipped == {"no wrong option, or no known right one": 1}
    letters, wordings = Counter[int](), set()
    for question, spoilt in zip(questions, made.questions, strict=True):
        pointed = pointed_at(question, probe)
        assert pointed is not None
        assert (spoilt.options, spoilt.answer, spoilt.image) == (question.options, question.answer, None)
        first, second = spoilt.text.split("\n")
        said = second if probe == "pressure" else first
        assert {first, second} - {said} == {"Shape?"}
        text, wrong = question.options[pointed], [each for each in question.options if each != question.answer]
        assert text in said or (probe == "pressure" and f" {pointed}" in said)
        assert not any(other in said for other in question.options.values() if other != text)
        wordings.add(said.replace(text, "*").replace(f" {pointed} ", " * ").replace(f" {pointed}.", " *."))
        letters[wrong.index(pointed)] += 1
    assert len(wordings) == 4
    # Even among the wrong options: 600 draws of three, five deviations.
    assert all(abs(letters[place] - 200) < 5 * (600 * 2 / 9) ** 0.5 for place in range(3))
    again = spoil(Dataset("shapes", questions), probe, tmp_path)
    assert again.questions == made.questions


def test_following_is_counted_by_hand() -> None:
    questions = {each.id: each for each in map(four, range(4))}
    pointed = {name: letter for name, each in questions.items() if (letter := pointed_at(each, "pressure"))}
    assert all(pointed[name] != each.answer for name, each in questions.items())
    plain = [row(name, str(each.answer), each.answer, 0.9) for name, each in questions.items()]
    answers = [pointed["q0"], pointed["q1"], questions["q2"].answer, None]
    spoilt = [
        row(name, str(each.answer), answer, 0.8 if answer else None)
        for (name, each), answer in zip(questions.items(), answers, strict=True)
    ]
    [figures] = compare(plain, spoilt, ["cgp"], pointed=pointed, resamples=200)
    assert figures.accuracy == (1.0, 0.25)
    assert figures.accuracy_moved.value == -0.75
    assert figures.followed == (0.0, 0.5)
    assert figures.followed_more is not None
    assert figures.followed_more.value == 0.5
    assert compare(plain, spoilt, ["cgp"], resamples=10)[0].followed is None


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


def test_questions_about_one_picture_are_resampled_together() -> None:
    pointed = {str(number): "B" for number in range(80)}
    plain = [row(name, "A", "A", 0.9) for name in pointed]
    spoilt = [
        row(name, "A", "AB"[int(name) // 20 % 2], (0.9, 0.5)[int(name) // 20 % 2]).model_copy(
            update={"picture": "blank"}  # the same for all: what belongs together is told by the unspoilt rows
        )
        for name in pointed
    ]
    [alone] = compare(plain, spoilt, ["cgp"], pointed=pointed, resamples=400)
    shared = [each.model_copy(update={"picture": f"p{int(each.id) // 20}"}) for each in plain]
    [near] = compare(shared, spoilt, ["cgp"], pointed=pointed, resamples=400)
    for name in ("moved", "accuracy_moved", "followed_more"):
        one, four_pictures = getattr(alone, name), getattr(near, name)
        assert one.value == four_pictures.value
        # Twenty alike are worth one: the interval of four pictures is about 20 ** 0.5 times as wide.
        assert 3 < (four_pictures.high - four_pictures.low) / (one.high - one.low) < 6
