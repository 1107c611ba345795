"""A refit on reviews a fifth of which are wrong is no worse than no refit, and a drift that is plain is followed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reviews.simulation import refit
from prompt4trust.reviewing import FlipRates

NONE, BOTH, DOWN, UP = FlipRates(), FlipRates(0.2, 0.2), FlipRates(0.2, 0), FlipRates(0, 0.2)
SEEDS = range(6)


@pytest.mark.parametrize("rates", [BOTH, DOWN, UP], ids=["both ways", "right ones", "wrong ones"])
@pytest.mark.parametrize("twice", [0.0, 0.5])
@pytest.mark.parametrize("drift", [0.0, 1.5], ids=["unchanged", "drifted"])
def test_it_is_no_worse_than_none(rates: FlipRates, twice: float, drift: float) -> None:
    found = [refit(seed, rates, drift=drift, twice=twice) for seed in SEEDS]
    assert max(each.difference for each in found) <= 0.002
    assert np.mean([each.difference for each in found]) <= 0


def test_without_the_guard_it_would_be_worse() -> None:
    found = [refit(seed, DOWN, drift=0.0, twice=0.0) for seed in SEEDS]
    assert np.mean([each.unguarded for each in found]) > 0.01
    assert not any(each.accepted.passes for each in found)


@pytest.mark.parametrize(("rates", "twice"), [(NONE, 0.5), (DOWN, 1.0)])
def test_a_plain_drift_is_followed(rates: FlipRates, twice: float) -> None:
    found = [refit(seed, rates, drift=1.5, twice=twice) for seed in SEEDS]
    assert np.mean([each.accepted.passes for each in found]) > 0.6
    assert np.mean([each.difference for each in found]) < -0.04


def test_a_worse_model_is_not_taken_for_flips() -> None:
    for seed in SEEDS:
        estimate = refit(seed, NONE, drift=2.0, twice=0.5).estimate
        assert estimate is not None
        assert (estimate.rates, estimate.contradicted) == (NONE, 0)
