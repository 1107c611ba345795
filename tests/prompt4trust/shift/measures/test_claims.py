"""Answers that a picture's looks speak against: seldom right ones, nearly always wrong ones, by a file too."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from prompt4trust.picture_files import PREPARATION
from prompt4trust.questions import Question
from prompt4trust.shift import Described, PictureAndWords, ReferenceArtifact, fit_reference
from prompt4trust.shift.descriptor import describe_questions
from prompt4trust.shift.fitting_parts import fit_claims
from prompt4trust.shift.measures.claims import Claims
from prompt4trust.shift.words import describe_words
from tests.prompt4trust.shift.questions import described

RNG = np.random.default_rng(2)
ANSWERS = [("head", "chest", "abdomen")[number % 3] for number in range(120)]
PLACES = {"head": (0.0, 0.0), "chest": (4.0, 0.0), "abdomen": (0.0, 4.0)}
ROWS = np.array([PLACES[each] for each in ANSWERS]) + RNG.normal(size=(120, 2))
LEARNED = Claims.fit(ROWS[:60], ANSWERS[:60], np.full(2, 1e-3))
CLAIMS = LEARNED.held_to(ROWS[60:], ANSWERS[60:])


def test_the_discriminant_is_that_of_the_library() -> None:
    rows = ROWS[:60]
    points = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / 3] * 3).fit(points, ANSWERS[:60])
    asked = (ROWS[60:] - rows.mean(axis=0)) / rows.std(axis=0)
    expected = model.decision_function(asked)
    right = np.array([list(model.classes_).index(each) for each in ANSWERS[60:]])
    margins = expected.max(axis=1) - expected[np.arange(60), right]
    assert LEARNED.margins(ROWS[60:], ANSWERS[60:]) == pytest.approx(margins, abs=1e-4)


def test_the_edge_is_reached_by_no_more_than_the_level() -> None:
    margins = LEARNED.margins(ROWS[60:], ANSWERS[60:])
    assert CLAIMS.reaching == (margins >= CLAIMS.edge).sum()
    assert (CLAIMS.reaching + 1) / (CLAIMS.n + 1) <= 0.05
    assert LEARNED.held_to(ROWS[60:], ANSWERS[60:], level=0.3).edge <= CLAIMS.edge


def test_right_answers_are_seldom_spoken_against_and_wrong_ones_mostly() -> None:
    new = np.random.default_rng(3)
    right, wrong = 0, 0
    for answer, place in PLACES.items():
        for _ in range(100):
            row = np.array(place) + new.normal(size=2)
            right += CLAIMS.against(row, answer) is not None
            other = "head" if answer != "head" else "chest"
            wrong += CLAIMS.against(row, other) == answer
    assert right <= 25
    assert wrong >= 240
    assert CLAIMS.against(np.array([50.0, 50.0]), "pelvis") is None


def test_two_answers_have_a_side_each() -> None:
    two = [each if each == "head" else "chest" for each in ANSWERS]
    found = Claims.fit(ROWS[:60], two[:60], np.full(2, 1e-3)).held_to(ROWS[60:], two[60:], level=0.5)
    assert found.against(np.array([0.0, 0.0]), "chest") == "head"
    assert found.against(np.array([4.0, 0.0]), "head") == "chest"


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="two must each be right of 10"):
        Claims.fit(ROWS[:9], ANSWERS[:9], np.full(2, 1e-3))
    with pytest.raises(ValueError, match="18 held-out pictures with a known answer are too few"):
        LEARNED.held_to(ROWS[60:78], ANSWERS[60:78])


def answered(n: int, seed: int, kind: str) -> list[Described]:
    return [each.answering(kind.title()) for each in described(n, seed=seed, kind=kind)]


def test_a_reference_tells_a_wrong_answer_about_a_usual_picture(tmp_path: Path) -> None:
    """Discs and stripes are both usual: neither is atypical, and only the answer says which is misread."""
    made = fit_reference(
        [*answered(300, 1, "disc"), *answered(150, 2, "stripes")],
        PictureAndWords(),
        name="both",
        dataset="both",
        questions="sha256:" + "0" * 64,
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    )
    made.save(tmp_path / "both.json")
    document = json.loads(made.model_dump_json())
    for changes, fault in (
        ({"trait": "pixels"}, "'pixels' is no trait of"),
        ({"centre": [0.0], "spread": [1.0], "weights": [[1.0], [2.0]]}, "with 1 numbers"),
        ({"question": []}, "must name the words"),
    ):
        with pytest.raises(ValueError, match=fault):
            ReferenceArtifact.model_validate(document | {"claims": document["claims"] | changes})
    reference = ReferenceArtifact.load(tmp_path / "both.json").reference()
    disc = described(300, seed=5)[0]
    assert not reference.judge(disc).beyond(0.99)
    choice = ("Disc", "Stripes")
    assert reference.against(disc, "stripes.", choice) == "disc"
    assert reference.against(disc, "Disc", choice) is None
    assert reference.against(disc, "Yes", ("Yes", "Disc", "Stripes")) is None


def test_only_the_question_that_was_learned_is_held_against_the_picture() -> None:
    """The same options may answer what a picture's looks say nothing of: what is not shown, or where a finding lies."""
    held = CLAIMS.asked_in(
        {word for asked in ("Which part is shown?", "What part of the body is this?") for word in words_of(asked)}
    )
    options = ("head", "chest")
    for asked in ("Which part is shown?", "Which part of the body is this?", "What part is shown"):
        assert held.asks_that(words_of(asked), options), asked
    for other in (
        "Which part is not shown?",
        "Where does the lesion sit?",
        "Which of these is shown?",
        "Is this shown?",
        "",
    ):
        assert not held.asks_that(words_of(other), options), other
    learned = words_of("Which part is shown?")
    assert not held.asks_that(learned, ("head", "liver"))
    assert not held.asks_that(learned, ())
    assert not CLAIMS.asks_that(learned, options)  # as files of format 6 have it
    assert (held.edge, held.n, held.reaching) == (CLAIMS.edge, CLAIMS.n, CLAIMS.reaching)
    assert LEARNED.asked_in(learned).held_to(ROWS[60:], ANSWERS[60:]).question == set(learned)


def words_of(text: str) -> tuple[int, ...]:
    return describe_words(text, {}).question


def test_held_out_pictures_of_which_none_has_a_known_answer_are_too_few() -> None:
    near = [*answered(60, 1, "disc")[:20], *answered(60, 2, "stripes")[:20]]
    with pytest.raises(ValueError, match="0 held-out pictures with a known answer are too few"):
        fit_claims(near, described(60, seed=5), PictureAndWords())


def test_right_answers_of_one_group_are_described() -> None:
    asked = [
        Question("1", "Which part?", {"A": "Head", "B": "Chest"}, "B", groups={"kind": "part"}),
        Question("2", "Is it large?", {"A": "Yes", "B": "No"}, "A", groups={"kind": "size"}),
        Question("3", "Which part?", {"A": "Head", "B": "Chest"}, groups={"kind": "part"}),
    ]
    found = describe_questions(asked, PictureAndWords(), claims=("kind", "part"))
    assert [each.answer for each in found] == ["chest", None, None]
    assert [each.answer for each in describe_questions(asked, PictureAndWords())] == [None] * 3
