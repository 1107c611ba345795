"""Calibrators and promises by group, on groups that differ and on groups that do not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calibration.by_group import (
    BY_GROUP,
    PLAIN,
    Pool,
    calibrators,
    errors_by_group,
    promises_by_group,
    spoilt,
)
from prompt4trust.evaluation import Prediction

OFTEN, SELDOM = "CT", "MR"


def answers(seed: int, n: int, right: dict[str, float]) -> list[Prediction]:
    """Answers stated at 0.6 to 0.9, right as often as their group and half of what is stated above 0.75 say."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(n):
        group = (OFTEN, SELDOM)[place % 2]
        stated = float(rng.choice([0.6, 0.7, 0.8, 0.9]))
        good = rng.random() < right[group] + (stated - 0.75) / 2
        found.append(
            Prediction(
                id=f"{seed} {place}", estimator="m", truth="A", answer="A" if good else "B", confidence=stated,
                groups={"modality": group}, picture=f"{seed} {place}",
            )
        )  # fmt: skip
    return found


def test_groups_that_differ_are_corrected_each_by_itself_and_others_are_left_alone() -> None:
    apart, alike = {OFTEN: 0.9, SELDOM: 0.5}, {OFTEN: 0.7, SELDOM: 0.7}
    found = {
        name: errors_by_group(
            answers(2, 600, right), calibrators(answers(1, 400, right), "modality", "platt"), "modality", resamples=20
        )
        for name, right in (("apart", apart), ("alike", alike))
    }
    plain, by_group = found["apart"][PLAIN], found["apart"][BY_GROUP]
    assert plain["groups"][SELDOM]["n"] == 300
    assert plain["worst"]["ece"]["value"] > 0.15
    assert by_group["worst"]["ece"]["value"] < 0.08
    assert found["apart"]["less"][SELDOM]["ece"]["high"] < 0
    # Groups err in opposite directions, so that over all answers the plain calibrator looks as good.
    assert plain["ece"]["value"] < 0.08
    assert by_group["changes"][0]["numbers"][OFTEN] > 0 > by_group["changes"][0]["numbers"][SELDOM]
    assert found["alike"][BY_GROUP]["changes"][0]["spread"] == 0
    assert found["alike"]["less"]["all"]["ece"]["value"] == 0


def test_a_promise_over_all_breaks_in_a_group_and_one_by_group_does_not() -> None:
    pool = Pool.of(answers(3, 4000, {OFTEN: 0.97, SELDOM: 0.8}), None, "modality")
    kept = promises_by_group(pool, rows=3000, draws=40, risks=(0.001, 0.1))
    plain, by_group = kept[PLAIN]["0.1"], kept[BY_GROUP]["0.1"]
    assert plain["broken"] <= 0.15  # 5 % is promised, and 40 draws are few
    assert plain["broken_in_any_group"] > 0.8
    assert plain["groups"][SELDOM]["broken"] > 0.8
    assert by_group["broken_in_any_group"] <= 0.15
    assert by_group["groups"][OFTEN]["answered"] > 0.9
    assert by_group["groups"][SELDOM]["answered"] < plain["groups"][SELDOM]["answered"]
    assert by_group["groups"]["all"]["n"] == 4000
    nothing = kept[BY_GROUP]["0.001"]
    assert (nothing["groups"]["all"]["answered"], nothing["groups"]["all"]["wrong"]) == (0, None)
    assert nothing["broken"] == 0


def test_replies_without_a_verdict_are_never_answered() -> None:
    rows = answers(4, 200, {OFTEN: 1.0, SELDOM: 1.0})
    lost = [
        Prediction(id=f"lost {n}", estimator="m", truth="A", invalid="empty", groups={"modality": SELDOM})
        for n in range(200)
    ]
    kept = promises_by_group(Pool.of([*rows, *lost], None, "modality"), rows=400, draws=5, risks=(0.5,))
    assert kept[PLAIN]["0.5"]["groups"]["all"]["answered"] == pytest.approx(0.5)


def test_answers_are_spoilt_in_one_group_alone() -> None:
    rows = answers(5, 1000, {OFTEN: 0.9, SELDOM: 0.9})
    found = spoilt(rows, "modality", SELDOM, 0.25)
    before, after = (sum(each.correct for each in part if each.groups["modality"] == SELDOM) for part in (rows, found))
    assert after / before == pytest.approx(0.75, abs=0.06)
    others = [each for each in found if each.groups["modality"] == OFTEN]
    assert others == [each for each in rows if each.groups["modality"] == OFTEN]
    assert all(each.confidence == own.confidence for each, own in zip(found, rows, strict=True))
