"""The comparison of calibrators: its loss against the truth's, its level, and fits that do not see what they judge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import log_loss

from benchmarks.reviews.simulation import looked_at
from prompt4trust.metrics.tally import BoolArray
from prompt4trust.reviewing import FlipRates, box, compare, held_out


def test_without_flips_it_is_the_difference_of_log_losses() -> None:
    random = np.random.default_rng(0)
    new, old = random.uniform(0.05, 0.95, (2, 300))
    right = random.random(300) < 0.6
    found = compare(new, old, right, ~right, [FlipRates()])
    assert found.difference == pytest.approx(log_loss(right, new) - log_loss(right, old))


def test_the_corrected_loss_is_that_on_the_truth() -> None:
    random = np.random.default_rng(1)
    new, old = random.uniform(0.05, 0.95, (2, 200_000))
    truth = random.random(200_000) < 0.6
    rates = FlipRates(0.2, 0.1)
    found = compare(new, old, *looked_at(truth, rates, 0.3, random), [rates])
    assert found.difference == pytest.approx(log_loss(truth, new) - log_loss(truth, old), abs=0.02)


def test_what_is_equally_good_passes_about_as_often_as_the_level_says() -> None:
    passed = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        right = random.random(200) < 0.5
        passed += compare([0.6] * 200, [0.4] * 200, right, ~right, [FlipRates()]).passes
    assert 0.02 <= passed / 400 <= 0.09


def test_the_worst_pair_is_told() -> None:
    right = np.array([1] * 120 + [0] * 80)
    found = compare([0.6] * 200, [0.9] * 200, right, 1 - right, box(0.2, 0.2))
    assert found.rates == FlipRates(0.2, 0.0)
    assert found.bound >= compare([0.6] * 200, [0.9] * 200, right, 1 - right, [FlipRates(0.1, 0.1)]).bound


def test_a_fit_sees_nothing_of_the_answers_that_it_corrects() -> None:
    stated = np.linspace(0.01, 0.99, 100)
    seen: list[set[int]] = []

    def label(places: npt.NDArray[np.intp]) -> BoolArray:
        seen.append(set(places.tolist()))
        return np.arange(len(places)) % 3 > 0

    assert np.ptp(held_out("platt", stated, label)) > 0
    assert sorted(place for each in seen for place in set(range(100)) - each) == list(range(100))


@pytest.mark.parametrize(
    ("new", "right", "reason"),
    [([0.5], [1], "at least 2"), ([0.5, 1.5], [1, 0], "probability"), ([0.5, 0.5], [0, 0], "a look")],
)
def test_what_cannot_be_compared(new: list[float], right: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compare(
            new, [0.5] * len(new), right, [0] * len(right) if reason == "a look" else [1] * len(right), [FlipRates()]
        )


def test_under_no_rates_nothing_is_compared() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        compare([0.5, 0.5], [0.5, 0.5], [1, 0], [0, 1], [])
