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

from prompt4trust.selection import RiskRule, start_counts

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


def plain_chains(
    scores: list[float], wrong: list[bool], counts: list[int], delta: float, max_risk: float
) -> int | None:
    """Go down from each start, as the docstring of `risk` says; how many answers are accepted in the end."""
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    level, best = 0.0, None
    for accepted in range(counts[0], len(scores) + 1):
        if accepted in counts:
            level += delta / len(counts)
        errors = sum(wrong[place] for place in order[:accepted])
        if level > 0 and binom.cdf(errors, accepted, max_risk) <= level:
            best = accepted
        else:
            level = 0.0
    return best


def test_a_plain_walk_down_from_several_starts_accepts_as_many() -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(40):
        n = int(rng.integers(30, 90))
        scores = rng.permutation(n) + rng.random(n) / 2
        wrong = rng.random(n) < rng.choice([0.1, 0.3]) * (1.5 - scores / n)
        counts = sorted(rng.choice(np.arange(5, 30), 3, replace=False).tolist())
        rule = RiskRule(scores, wrong, counts, 0.2)
        for max_risk in (0.05, 0.13, 0.21, 0.37, 0.6):
            expected = plain_chains(scores.tolist(), wrong.tolist(), counts, 0.2, max_risk)
            limit = rule.at(max_risk)
            assert (limit and limit.accepted) == expected
            if limit is not None:
                assert (scores >= limit.score).sum() == limit.accepted
                assert wrong[scores >= limit.score].sum() == limit.errors
                assert limit.bound <= max_risk
                found += 1
    assert found > 50


def test_a_start_by_number_proves_the_laxest_threshold_that_accepts_so_many() -> None:
    scores = np.arange(100.0, 0, -1)
    limit = RiskRule(scores, np.arange(100) >= 50, [50], DELTA).at(0.06)
    assert limit is not None
    assert limit.accepted == 50
    assert 50 < limit.score < 50.001
    for counts in ([], [0, 3], [5, 5], [9, 4]):
        with pytest.raises(ValueError, match="ascending"):
            RiskRule(scores, scores > 50, counts, DELTA)
    # Fewer answers than the first start asks for prove nothing.
    few = RiskRule([3.0, 2.0], [False, False], [50], DELTA)
    assert (few.at(0.9), few.least_risk) == (None, 1.0)


rows = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=120)
risks = st.floats(0, 1)


@given(rows, st.integers(0, 31) | st.lists(st.integers(1, 60), min_size=1, unique=True).map(sorted), risks, risks)
def test_more_accepted_risk_never_raises_the_threshold(
    found: list[tuple[int, bool]], start: int | list[int], one: float, other: float
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
    draws: int = 400,
) -> tuple[Array, Array]:
    """Make calibration sets, and give for each the threshold (inf for none) and whether it was given."""
    rng = np.random.default_rng(11)
    thresholds = []
    for _ in range(draws):
        scores = draw(rng, n)
        wrong = rng.random(n) < risk_at(scores)
        limit = RiskRule(scores, wrong, start_counts(n), DELTA).at(max_risk)
        thresholds.append(np.inf if limit is None else limit.score)
    found = np.array(thresholds)
    return found, np.isfinite(found)


def most(draws: int = 400) -> int:
    """More failures than this happen once in a thousand times to a promise that fails 5 % of the time."""
    return int(binom.ppf(0.999, draws, DELTA))


def test_the_promise_is_kept_where_every_threshold_is_just_too_risky() -> None:
    # The hardest case: any answer at all breaks the promise, and the test must be wrong nearly delta of the time.
    _, answered = promise(lambda scores: np.full(len(scores), 0.2001), lambda rng, n: rng.random(n) * 40, 0.2, 800)
    assert DELTA / 4 * 500 < answered.sum() <= most()


def test_the_promise_is_kept_where_the_risk_rises_through_the_limit_near_the_first_start() -> None:
    # Some starts lie above the place and some below, by chance; R is continuous there.
    def risk(scores: Array) -> Array:  # of scores uniform on [t, 1] it averages 0.1 at 0.9, and more below
        return np.where(scores > 0.9, 0.1, 0.16)

    thresholds, _ = promise(risk, lambda rng, n: rng.random(n), 0.1, 300)
    assert 0 < (thresholds < 0.9).sum() <= most()


def test_the_promise_is_kept_where_confidence_misleads() -> None:
    # The most confident answers are worse than the middle ones, and the risk crosses the limit three times.
    wrong_at = np.array([0.6, 0.5, 0.5, 0.4, 0.4, 0.3, 0.3, 0.26, 0.24, 0.22, 0.2, 0.18, 0.1, 0.05, 0.05, 0.3, 0.2, 0.1,
                         0.22, 0.24])  # fmt: skip
    true_risk = np.cumsum(wrong_at[::-1])[::-1] / np.arange(20, 0, -1)
    thresholds, answered = promise(
        lambda scores: wrong_at[scores.astype(int)], lambda rng, n: rng.random(n) * 20, 0.2, 600
    )
    # Errors above a threshold are linear in it within a level.
    held = np.append(true_risk * np.arange(20, 0, -1), 0)
    above = 20 - thresholds[answered]
    broken = np.interp(20 - above, np.arange(21), held) / above > 0.2 + 1e-9
    assert answered.sum() > 20
    assert broken.sum() <= most()


def test_coverage_comes_close_to_the_best_in_hindsight() -> None:
    def draw(rng: np.random.Generator, n: int) -> Array:
        return rng.random(n) * 100

    def risk(scores: Array) -> Array:  # of scores uniform on [t, 100] it averages (1 - t / 100) / 4
        return (1 - scores / 100) / 2

    for max_risk, closeness in ((0.2, 0.9), (0.1, 0.75)):
        thresholds, answered = promise(risk, draw, max_risk, 2500, draws=40)
        best = 100 * (1 - 4 * max_risk)
        assert answered.mean() > 0.97
        assert np.mean(100 - thresholds[answered]) > closeness * (100 - best)
        assert (thresholds < best).sum() <= most(40)
