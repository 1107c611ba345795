"""Flip rates: against hand calculations and drawn looks, what tells nothing, and what cannot be meant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.reviews.simulation import looked_at
from prompt4trust.reviewing import MAX_RATE, FlipRates, estimate_rates, widened


def test_the_region_is_that_of_the_likelihood_written_out() -> None:
    # One part of 40 answers with two looks: 20 twice right, 8 contradicted, 12 twice wrong.
    right = [2] * 20 + [1] * 8 + [0] * 12
    found = estimate_rates(right, [2 - each for each in right], [0.5] * 40)
    assert found is not None

    def likelihood(a: float, b: float) -> float:
        a, b = max(a, 1e-9), max(b, 1e-9)
        best = -math.inf
        for share in np.linspace(0.001, 0.999, 999):
            chances = (
                share * (1 - a) ** 2 + (1 - share) * b**2,
                share * a * (1 - a) + (1 - share) * b * (1 - b),
                share * a**2 + (1 - share) * (1 - b) ** 2,
            )
            value = 20 * math.log(chances[0]) + 8 * math.log(chances[1]) + 12 * math.log(chances[2])
            best = max(best, value + 0.5 * math.log(share) + 0.5 * math.log(1 - share))  # the prior's one answer
        return best

    rates = [round(step / 100, 2) for step in range(round(100 * MAX_RATE) + 1)]
    coarse = {(a, b): likelihood(a, b) for a in rates[::3] for b in rates[::3]}
    top = max(coarse.values())
    region = {(each.right_called_wrong, each.wrong_called_right) for each in found.region}
    for rate, value in coarse.items():
        if value > top - 1.25:
            assert rate in region
        if value < top - 1.6:
            assert rate not in region


@pytest.mark.parametrize("rates", [FlipRates(), FlipRates(0.2, 0.2), FlipRates(0.15, 0), FlipRates(0, 0.15)])
def test_rates_that_looks_were_drawn_with_are_found(rates: FlipRates) -> None:
    covered = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        chance = random.uniform(0.2, 0.95, 1500)
        right, wrong = looked_at(random.random(1500) < chance, rates, 1.0, random)
        found = estimate_rates(right, wrong, chance)
        assert found is not None
        assert abs(found.rates.right_called_wrong - rates.right_called_wrong) <= 0.08
        assert abs(found.rates.wrong_called_right - rates.wrong_called_right) <= 0.08
        covered += all(
            low <= getattr(rates, name) + 1e-9 and getattr(rates, name) - 1e-9 <= high
            for name in ("right_called_wrong", "wrong_called_right")
            for low, high in [getattr(found, name)]
        )
    assert covered >= 8  # of 95 % intervals, both at once


def test_one_look_an_answer_tells_nothing() -> None:
    assert estimate_rates([1] * 1000, [0] * 1000, [0.3] * 1000) is None
    assert estimate_rates([1] * 29, [1] * 29, [0.3] * 29) is None


def test_a_region_is_widened_by_a_floor_and_keeps_what_it_had() -> None:
    region = (FlipRates(0, 0.1), FlipRates(0.2, 0))
    wide = widened(region, FlipRates(0.1, 0.05))
    assert wide == (*region, FlipRates(0.1, 0.1), FlipRates(0.2, 0.05))


@pytest.mark.parametrize(
    ("right", "wrong", "prior"),
    [([1.5], [0], [0.5]), ([-1], [2], [0.5]), ([1], [1], [1.5]), ([1], [1], [math.nan]), ([1, 1], [1], [0.5])],
)
def test_what_is_no_look_is_refused(right: list[float], wrong: list[float], prior: list[float]) -> None:
    with pytest.raises(ValueError, match=r"looks|prior"):
        estimate_rates(right, wrong, prior)
