"""Outcomes to fit on: chances against Bayes' rule, draws against their sums, and the truth against what is fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from benchmarks.reviews.simulation import looked_at
from prompt4trust.calibration import Platt
from prompt4trust.reviewing import FlipRates, chances_right, corrected_outcomes, draw_outcomes


def test_where_the_confidence_says_nothing_chances_are_those_of_bayes_rule() -> None:
    # Of 1,000 answers 600 are called right; with these rates that are (0.6 - 0.1) / (1 - 0.2 - 0.1) right ones.
    right = np.array([1] * 600 + [0] * 400)
    chances = chances_right([0.7] * 1000, right, 1 - right, FlipRates(0.2, 0.1))
    share = 0.5 / 0.7
    assert chances[0] == pytest.approx(share * 0.8 / (share * 0.8 + (1 - share) * 0.1), abs=1e-3)
    assert chances[-1] == pytest.approx(share * 0.2 / (share * 0.2 + (1 - share) * 0.9), abs=1e-3)


def test_looks_that_never_err_are_the_outcomes() -> None:
    random = np.random.default_rng(0)
    right = random.random(200) < 0.6
    drawn = corrected_outcomes(random.random(200), [(int(each), int(not each)) for each in right], FlipRates())
    assert drawn.tolist() == right.tolist()


def test_in_every_stretch_of_the_order_as_many_are_right_as_the_chances_say() -> None:
    random = np.random.default_rng(1)
    chances, order = random.random(500), random.random(500)
    drawn = draw_outcomes(chances, order, seed=3)
    places = np.argsort(order)
    for begin in range(0, 500, 37):
        stretch = places[begin : begin + 120]
        assert abs(drawn[stretch].sum() - chances[stretch].sum()) < 2
    assert draw_outcomes([1.0] * 50 + [0.0] * 50, np.arange(100)).tolist() == [True] * 50 + [False] * 50


def test_a_calibrator_fitted_on_them_is_that_of_the_truth() -> None:
    random = np.random.default_rng(2)
    stated = expit(random.normal(1.0, 1.2, 20_000)).clip(0.005, 0.995)
    truth = random.random(20_000) < expit(0.8 * logit(stated) - 0.3)
    rates = FlipRates(0.2, 0.1)
    right, wrong = looked_at(truth, rates, 0.3, random)
    drawn = corrected_outcomes(stated, list(zip(right.tolist(), wrong.tolist(), strict=True)), rates)
    corrected, clean, naive = (Platt.fit(stated, each) for each in (drawn, truth, right > wrong))
    asked = np.array([0.3, 0.6, 0.9])
    assert corrected.apply(asked) == pytest.approx(clean.apply(asked), abs=0.03)
    assert np.abs(naive.apply(asked) - clean.apply(asked)).max() > 0.08
