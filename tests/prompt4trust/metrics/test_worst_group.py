"""The worst group's calibration error: chosen among groups with enough answers, beside what chance alone makes."""

from __future__ import annotations

import numpy as np
import pytest

from prompt4trust.metrics import METRICS, Interval, expected_calibration_error, metric_intervals, worst_group


def test_it_is_the_largest_error_with_the_largest_ends_and_small_groups_are_passed_over() -> None:
    random = np.random.default_rng(4)
    names = ["CT"] * 200 + ["MR"] * 100 + ["US"] * 19
    says = random.integers(60, 100, len(names)) / 100
    right = random.random(len(names)) < says - np.array([0.05] * 200 + [0.3] * 100 + [0.6] * 19)
    errors = {}
    for name in ("CT", "MR", "US"):
        rows = np.array(names) == name
        errors[name] = metric_intervals(says[rows], right[rows], {"ece": METRICS["ece"]}, resamples=50)["ece"]
    worst = worst_group(errors, says, right, names, resamples=200)
    assert worst is not None
    assert (worst.group, worst.n, worst.groups) == ("MR", 100, 2)
    assert worst.ece.value == pytest.approx(expected_calibration_error(says[200:300], right[200:300]))
    assert worst.ece.low == max(errors["CT"].low, errors["MR"].low)
    assert worst.ece.high == max(errors["CT"].high, errors["MR"].high)
    assert worst.ece.value > worst.by_chance.high


def test_calibrated_groups_worst_error_lies_in_the_band_of_chance_as_often_as_it_says() -> None:
    names = [f"g{place % 6}" for place in range(300)]
    within = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        says = random.integers(50, 100, 300) / 100
        right = random.random(300) < says
        values = {}
        for name in sorted(set(names)):
            rows = np.array(names) == name
            value = expected_calibration_error(says[rows], right[rows])
            values[name] = Interval(value, value, value)
        worst = worst_group(values, says, right, names, resamples=200, seed=seed)
        assert worst is not None
        within += worst.by_chance.low <= worst.ece.value <= worst.by_chance.high
    assert within >= 52  # 57 expected of 60, and 51 or fewer in one of a hundred


def test_without_two_groups_of_enough_answers_there_is_no_worst_one() -> None:
    found = metric_intervals([0.8] * 30, [True] * 30, {"ece": METRICS["ece"]}, resamples=10)["ece"]
    assert worst_group({"CT": found}, [0.8] * 30, [True] * 30, ["CT"] * 30) is None
    assert worst_group({"CT": found, "MR": found}, [0.8] * 30, [True] * 30, ["CT"] * 25 + ["MR"] * 5) is None
    with pytest.raises(ValueError, match="for each of 30"):
        worst_group({"CT": found}, [0.8] * 30, [True] * 30, ["CT"])
