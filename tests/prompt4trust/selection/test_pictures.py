"""Questions about one picture: which are tested, and the promise over newly drawn pictures."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import binom

from prompt4trust.selection import CheckedAnswer, GuardArtifact, RiskRule, fit_guard, start_counts
from prompt4trust.selection.pictures import draw_apart, most_about_one
from tests.support.calibration_keys import whole_key

KEY = whole_key(downstream="model-1", policy=None, estimator="logprob", answer_template="answer-compact@1")
DELTA = 0.05


def fit(answers: list[CheckedAnswer], **changes: object) -> GuardArtifact:
    settings = {"name": "guard-1", "key": KEY, "dataset": "d", "clock": lambda: datetime(2026, 1, 2, tzinfo=UTC)}
    return fit_guard(answers, **(settings | changes))  # type: ignore[arg-type]


def answers(pictures: int, questions: int, *, seed: int = 0, risk: float | None = None) -> list[CheckedAnswer]:
    """So many questions about each picture, all of which are right or all wrong, and about as sure as each other."""
    random = np.random.default_rng(seed)
    found = []
    for picture in range(pictures):
        luck, sure = random.random(), random.uniform(0.5, 0.95)
        for question in range(questions):
            confidence = float(sure + random.uniform(0, 0.05))
            wrong = luck < (1 - confidence if risk is None else risk)
            groups = {"modality": ("CT", "MR")[picture % 2]}
            name = f"{seed}-{picture}"
            found.append(CheckedAnswer(f"{name}-{question}", confidence, not wrong, "A", {}, groups, name))
    return found


names = st.lists(st.one_of(st.none(), st.sampled_from("abcdef")), max_size=40)


@given(names, st.randoms(use_true_random=False))
def test_no_two_that_are_drawn_share_a_picture_and_order_does_not_matter(
    pictures: list[str | None], random: Random
) -> None:
    ids = [f"q{place}" for place in range(len(pictures))]
    drawn = draw_apart(ids, pictures)
    assert drawn == sorted(set(drawn))
    known = [pictures[place] for place in drawn if pictures[place] is not None]
    assert len(set(known)) == len(known)
    order = list(range(len(ids)))
    random.shuffle(order)
    again = draw_apart([ids[place] for place in order], [pictures[place] for place in order])
    assert {order[place] for place in again} == set(drawn)
    if most_about_one(pictures) <= 1:
        assert len(drawn) == len(ids)
    else:  # the picture with most questions fills all places
        most = Counter(name for name in pictures if name is not None).most_common(1)[0][1]
        assert {name for name, count in Counter(pictures).items() if count == most} - {None} <= set(known)


def test_every_question_is_drawn_with_the_same_chance() -> None:
    found: Counter[int] = Counter()
    for trial in range(3000):
        ids = [f"{trial}-{place}" for place in range(6)]
        found.update(draw_apart(ids, [f"{trial}a"] * 3 + [f"{trial}b"] * 2 + [None]))
    low, high = binom.ppf((0.0005, 0.9995), 3000, 1 / 3)
    assert all(low <= found[place] <= high for place in range(6))
    with pytest.raises(ValueError, match="2 ids and 1 pictures"):
        draw_apart(["a", "b"], ["p"])


@pytest.mark.parametrize("ties", ["split", "together"])
def test_where_each_picture_has_one_question_nothing_is_another(ties: str) -> None:
    apart = answers(300, 1)
    nameless = [replace(each, picture=None) for each in apart]
    guard = fit(apart, ties=ties)
    assert guard == fit(nameless, ties=ties)
    assert (guard.unit, guard.left_out, guard.warnings) == ("question", 0, [])
    assert guard.rows + guard.set_aside == 300
    if ties == "split":
        assert guard.risk.start == start_counts(300)


def test_of_each_picture_one_question_is_tested_at_most() -> None:
    found = answers(120, 4)
    guard = fit(found)
    assert (guard.unit, guard.rows, guard.left_out, guard.set_aside) == ("picture", 120, 360, 0)
    assert len(guard.risk.scores) == 120
    assert guard.warnings == []
    assert guard == fit(found[::-1])
    # One more question about one picture: each is tested with chance 1 / 5.
    more = fit([*found, replace(found[0], id="one-more")])
    assert more.rows + more.left_out == 481
    assert 75 < more.rows < 115
    placed = fit(found, ties="together")
    assert (placed.rows, placed.set_aside, placed.left_out) == (100, 20, 360)
    # The promise is the plain rule's on those that were drawn.
    rule = RiskRule(guard.risk.scores, guard.risk.wrong, guard.risk.start, DELTA)
    assert guard.risk_rule(DELTA).at(0.3) == rule.at(0.3)


@pytest.mark.parametrize(("pictures", "warned"), [(300, 0), (299, 1), (40, 1)])
def test_all_questions_are_tested_where_that_is_asked_for_and_the_file_warns(pictures: int, warned: int) -> None:
    apart = answers(300, 1)
    found = [replace(each, picture=f"p{place % pictures}") for place, each in enumerate(apart)]
    guard = fit(found, unit="question")
    assert [f"300 questions are about {pictures} pictures" in each for each in guard.warnings] == [True] * warned
    assert guard.model_copy(update={"warnings": []}) == fit(apart)


def test_groups_draw_among_their_own_questions() -> None:
    found = [each for each in answers(240, 3) if each.groups["modality"] == "CT" or each.id.endswith("-0")]
    guard = fit(found, strata=("modality",))
    assert guard.by_group is not None
    assert {group.values: group.rows for group in guard.by_group.groups} == {("CT",): 120, ("MR",): 120}
    assert guard.unit == "picture"
    few = fit(answers(60, 6), strata=("modality",))
    assert few.by_group is not None
    assert [group.risk for group in few.by_group.groups] == [None, None]
    assert "CT has 30 of the 50 rows" in few.warnings[0]


def test_the_promise_is_kept_over_pictures_where_questions_alone_break_it() -> None:
    # The hardest case: all answers about a picture are right or all wrong, and any answer at all is one too many.
    draws, risk, broken = 150, 0.2001, Counter[str]()
    for seed in range(draws):
        found = answers(60, 6, seed=seed, risk=risk)
        for name, rows in (("picture", found), ("question", [replace(each, picture=None) for each in found])):
            broken[name] += fit(rows).risk_rule(DELTA).at(0.2) is not None
    most = binom.ppf(0.999, draws, DELTA)
    assert broken["picture"] <= most < broken["question"]


def test_the_unit_is_kept_and_older_files_took_questions_one_by_one(tmp_path: Path) -> None:
    guard = fit(answers(120, 4))
    guard.save(tmp_path / "guard.json")
    assert GuardArtifact.load(tmp_path / "guard.json") == guard
    content = json.loads(guard.model_dump_json())
    old = {name: value for name, value in content.items() if name not in {"unit", "left_out"}}
    assert GuardArtifact.model_validate({**old, "format": 4}).unit == "question"
    for change in ({"format": 4}, {"unit": "question"}, {"unit": "patient"}):
        with pytest.raises(ValidationError):
            GuardArtifact.model_validate({**content, **change})
