"""Rewards against hand-computed values, and what makes them proper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.rewards import (
    REWARDS,
    Reward,
    RewardSpec,
    RewardSum,
    brier,
    check_reward,
    get_reward,
    log_score,
    spherical,
    squared_error,
    tail_weighted,
)
from prompt4trust.verdict import Invalid, Verdict

SUMS = (
    RewardSum({"brier": 1.0, "tail_weighted": 2.0}),
    RewardSum({"log_score": 0.1, "spherical": 3.0, "squared_error": 0.5, "rlcr": 1.0, "tail_weighted": 1.0}),
)


@pytest.mark.parametrize(
    ("answer", "confidence", "expected"),
    [
        ("B", 1.0, 0.0),
        ("B", 0.5, -0.6931471805599453),
        ("B", 0.85, -0.16251892949777494),
        ("B", 0.0, -23.025850929940457),
        ("C", 0.0, -1.0),
        ("C", 0.5, -1.6931471805599454),
        ("C", 0.95, -3.9957322735539895),
        ("C", 1.0, -24.025850929940457),
    ],
)
def test_log_score_by_hand(answer: str, confidence: float, expected: float) -> None:
    assert log_score(Verdict(answer, confidence), "B") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "confidence", "expected"),
    [("B", 1.0, 1.0), ("B", 0.5, 0.75), ("B", 0.0, 0.0), ("C", 0.0, 0.0), ("C", 0.5, -0.25), ("C", 1.0, -1.0)],
)
def test_brier_by_hand(answer: str, confidence: float, expected: float) -> None:
    assert brier(Verdict(answer, confidence), "B") == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("reward", "right", "wrong"),
    [
        (squared_error, (-1.0, -0.25, -0.04, 0.0), (0.0, -0.25, -0.64, -1.0)),
        # At 0.8 the length of both chances is the root of 0.68.
        (
            spherical,
            (0.0, 0.7071067811865475, 0.9701425001453319, 1.0),
            (0.0, -0.2928932188134524, -0.757464374963667, -1.0),
        ),
        # 1 - (1/3 - 4/3 p^3 + p^4), the integral of 4 c^2 (1 - c) from p to 1; p^4, that of 4 c^3 from 0 to p
        (tail_weighted, (2 / 3, 0.7708333333333334, 0.9397333333333333, 1.0), (0.0, -0.0625, -0.4096, -1.0)),
    ],
)
def test_other_scores_by_hand(reward: Reward, right: tuple[float, ...], wrong: tuple[float, ...]) -> None:
    stated = (0.0, 0.5, 0.8, 1.0)
    assert [reward(Verdict("B", p), "B") for p in stated] == pytest.approx(right, abs=1e-12)
    assert [reward(Verdict("C", p), "B") for p in stated] == pytest.approx(wrong, abs=1e-12)


def test_a_right_answer_is_worth_more_than_a_wrong_one_of_the_same_claim() -> None:
    for name in set(REWARDS) - {"squared_error"}:
        for p in (0.01, 0.26, 0.28, 0.5, 0.9, 1.0):
            better = REWARDS[name](Verdict("B", p), "B") > REWARDS[name](Verdict("C", p), "B")
            assert better == (name != "log_score" or p > 1 / (1 + math.e)), (name, p)


def test_the_tail_weighs_confident_errors() -> None:
    def ratio(reward: Reward) -> float:
        return reward(Verdict("C", 0.9), "B") / reward(Verdict("C", 0.5), "B")

    assert ratio(tail_weighted) > 10 > ratio(brier) > 3


def test_invalid_replies_are_worst() -> None:
    assert log_score(Invalid("no_answer"), "B") == pytest.approx(-27.631021115928547, abs=1e-12)
    assert brier(Invalid("empty"), "B") == -1
    grid = [Verdict(letter, p / 100) for letter in "BC" for p in range(101)]
    rewards: list[Reward] = [*REWARDS.values(), *SUMS]
    for reward in rewards:
        assert reward(Invalid("empty"), "B") <= min(reward(verdict, "B") for verdict in grid)


def test_letters_compare_in_either_case() -> None:
    assert log_score(Verdict("B", 1.0), "b") == 0
    assert brier(Verdict("B", 1.0), " b ") == 1


@pytest.mark.parametrize("reward", [*REWARDS.values(), *SUMS])
@given(accuracy=st.integers(0, 100))
def test_expected_reward_is_greatest_at_the_chance_of_being_right(reward: Reward, accuracy: int) -> None:
    chance = accuracy / 100
    expected = [
        chance * reward(Verdict("B", p / 100), "B") + (1 - chance) * reward(Verdict("C", p / 100), "B")
        for p in range(101)
    ]
    assert int(np.argmax(expected)) == accuracy
    assert sorted(expected)[-2] < expected[accuracy] or math.isclose(chance, 0) or math.isclose(chance, 1)


def test_a_sum_is_the_sum_of_its_weighted_parts() -> None:
    total = get_reward({"log_score": 0.1, "brier": 2})
    verdict = Verdict("C", 0.5)
    assert total(verdict, "B") == pytest.approx(0.1 * (math.log(0.5) - 1) + 2 * -0.25, abs=1e-12)
    assert isinstance(total, RewardSum)
    assert total.parts(verdict, "B") == {"log_score": log_score(verdict, "B"), "brier": -0.25}


def test_rewards_by_name() -> None:
    assert get_reward("log_score") is log_score
    assert get_reward("brier") is get_reward("rlcr") is brier
    with pytest.raises(ValueError, match=r"unknown reward 'acc'; there are log_score, brier, rlcr"):
        get_reward("acc")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({}, "needs a part"),
        ({"acc": 1.0}, "unknown reward 'acc'"),
        ({"brier": 0.0}, "weight of brier must be above 0"),
        ({"brier": -1.0}, "not -1.0"),
        ({"brier": math.nan}, "not nan"),
        ({"brier": math.inf}, "at most 1000"),
        ({"brier": True}, "not True"),
        ({"brier": "1"}, "not '1'"),
        ({"brier": 1.0, "rlcr": 1.0}, "one reward"),
        (5, "a name, or weights by name"),
        (None, "a name, or weights by name"),
    ],
)
def test_rewards_that_cannot_be(spec: RewardSpec, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_reward(spec)
