"""Thresholds against a plain loop, their order, and the promise itself on data whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from prompt4trust.selection import RiskRule, place_start
from prompt4trust.selection.risk import set_aside

Array = npt.NDArray[np.float64]
DELTA = 0.05


def plain_loop(scores: list[float], wrong: list[bool], start: float, delta: float, max_risk: float) -> float | None:
    """Test one threshold after the other by the binomial test; the lowest rejected one, or None."""
    passed = None
    for threshold in [start, *sorted({score for score in scores if score < start}, reverse=True)]:
        taken = [bad for score, bad in zip(scores, wrong, strict=True) if score >= threshold]
        n, k = len(taken), sum(taken)
        p_value = sum(comb(n, i) * max_risk**i * (1 - max_risk) ** (n - i) for i in range(k + 1))
        if p_value > delta:
            return passed
        passed = threshold
    return passed


def test_a_plain_loop_over_binomial_tests_finds_the_same_threshold() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(60):
        n = int(rng.integers(20, 90))
        scores = rng.integers(0, 12, n) + np.where(rng.random() < 0.5, rng.random(n), 0.0)
        wrong = rng.random(n) < 0.5 - scores / 26
        start, delta = float(rng.integers(5, 13)), float(rng.choice([0.05, 0.2]))
        rule = RiskRule(scores, wrong, start, delta)
        for max_risk in (0.05, 0.13, 0.21, 0.37, 0.6):
            expected = plain_loop(scores.tolist(), wrong.tolist(), start, delta, max_risk)
            limit = rule.at(max_risk)
            assert (limit is None) == (expected is None)
            if limit is not None and expected is not None:
                # It may be lowered as long as it accepts the very same rows.
                assert limit.score <= expected
                assert np.array_equal(scores >= limit.score, scores >= expected)
                assert (limit.accepted, limit.errors) == ((scores >= expected).sum(), wrong[scores >= expected].sum())
                found += 1
    assert found > 50


rows = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=120)
risks = st.floats(0, 1)


@given(rows, st.integers(0, 31), risks, risks)
def test_more_accepted_risk_never_raises_the_threshold(
    found: list[tuple[int, bool]], start: int, one: float, other: float
) -> None:
    scores, wrong = [float(score) for score, _ in found], [bad for _, bad in found]
    rule = RiskRule(scores, wrong, start, DELTA)
    strict, lax = rule.at(min(one, other)), rule.at(max(one, other))
    if strict is not None:
        assert lax is not None
        assert lax.score <= strict.score
        assert lax.accepted >= strict.accepted
        assert strict.bound <= min(one, other)
        assert strict.errors <= min(one, other) * strict.accepted
    assert (strict is None) == (min(one, other) < rule.least_risk)
    everything = rule.at(1)
    assert everything is not None
    assert (everything.score, everything.accepted) == (0, len(scores))


def test_nothing_is_promised_where_nothing_can_be() -> None:
    rule = RiskRule([9.0] * 40, [True] * 20 + [False] * 20, 9, DELTA)
    assert rule.at(0.3) is None
    assert rule.at(0) is None
    assert 0.6 < rule.least_risk < 0.7
    # An untested start proves nothing, and the sequence ends before it began.
    assert RiskRule([1.0] * 1000, [False] * 1000, 9, DELTA).at(0.5) is None
    with pytest.raises(ValueError, match="max_risk"):
        rule.at(1.1)
    with pytest.raises(ValueError, match="same length"):
        RiskRule([1.0], [True, False], 1, DELTA)


def promise(
    risk_at: Callable[[Array], Array],
    draw: Callable[[np.random.Generator, int], Array],
    max_risk: float,
    n: int,
    draws: int = 500,
) -> tuple[Array, Array]:
    """Make calibration sets, and give for each the threshold (inf for none) and whether it was given."""
    rng = np.random.default_rng(11)
    thresholds = []
    for seed in range(draws):
        scores = draw(rng, n)
        wrong = rng.random(n) < risk_at(scores)
        aside, tested = (np.array(places) for places in set_aside(n, seed))
        start = place_start(scores[aside], wrong[aside], len(tested), DELTA)
        limit = RiskRule(scores[tested], wrong[tested], start, DELTA).at(max_risk)
        thresholds.append(np.inf if limit is None else limit.score)
    found = np.array(thresholds)
    return found, np.isfinite(found)


def most(draws: int = 500) -> int:
    """More failures than this happen once in a thousand times to a promise that fails 5 % of the time."""
    return int(binom.ppf(0.999, draws, DELTA))


def test_the_promise_is_kept_where_every_threshold_is_just_too_risky() -> None:
    # The hardest case: any answer at all breaks the promise, and the test must be wrong nearly delta of the time.
    _, answered = promise(
        lambda scores: np.full(len(scores), 0.2001), lambda rng, n: np.floor(rng.random(n) * 40), 0.2, 800
    )
    assert DELTA / 4 * 500 < answered.sum() <= most()


def test_the_promise_is_kept_where_confidence_misleads() -> None:
    # The most confident answers are worse than the middle ones, and the risk crosses the limit three times.
    levels = np.arange(20.0)
    wrong_at = np.array([0.6, 0.5, 0.5, 0.4, 0.4, 0.3, 0.3, 0.26, 0.24, 0.22, 0.2, 0.18, 0.1, 0.05, 0.05, 0.3, 0.2, 0.1,
                         0.22, 0.24])  # fmt: skip
    true_risk = np.cumsum(wrong_at[::-1])[::-1] / np.arange(20, 0, -1)
    thresholds, answered = promise(
        lambda scores: wrong_at[scores.astype(int)], lambda rng, n: rng.choice(levels, n), 0.2, 600
    )
    broken = true_risk[np.ceil(thresholds[answered]).astype(int)] > 0.2
    assert answered.sum() > 100
    assert broken.sum() <= most()


def test_coverage_comes_close_to_the_best_in_hindsight() -> None:
    def draw(rng: np.random.Generator, n: int) -> Array:
        return rng.random(n) * 100

    def risk(scores: Array) -> Array:  # of scores uniform on [t, 100] it averages (1 - t / 100) / 4
        return (1 - scores / 100) / 2

    for max_risk, closeness in ((0.2, 0.9), (0.1, 0.75)):
        thresholds, answered = promise(risk, draw, max_risk, 3000, draws=150)
        best = 100 * (1 - 4 * max_risk)
        assert answered.mean() > 0.97
        assert np.mean(100 - thresholds[answered]) > closeness * (100 - best)
        assert (thresholds < best).sum() <= most(150)


def test_the_start_is_placed_where_the_least_can_be_proved_and_rows_are_divided_once() -> None:
    scores = np.repeat([3.0, 2.0, 1.0], [20, 40, 40])
    wrong = np.concatenate([np.arange(20) < 6, np.arange(40) < 0, np.arange(40) < 30])
    assert place_start(scores, wrong, 1000, DELTA) == 2.0
    # Here the lower level would prove hardly less, which is not worth a laxer start.
    assert place_start([3.0] * 96 + [2.0] * 4, [True] + [False] * 99, 1000, DELTA) == 3.0
    with pytest.raises(ValueError, match="at least one"):
        place_start([], [], 10, DELTA)
    for n, aside in ((40, 20), (300, 30), (9000, 300)):
        one, other = set_aside(n, 3)
        assert len(one) == aside
        assert sorted([*one, *other]) == list(range(n))
        assert set_aside(n, 3) == (one, other)
