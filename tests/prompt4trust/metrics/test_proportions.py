"""Intervals of shares agree with scipy's, at every count."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from prompt4trust.metrics.proportions import exact_interval, wilson_interval


@pytest.mark.parametrize("of", [1, 2, 7, 30, 500])
def test_intervals_agree_with_an_independent_implementation(of: int) -> None:
    for count in {0, 1, of // 3, of // 2, of - 1, of}:
        test = binomtest(count, of)
        for method, ours in (("exact", exact_interval), ("wilson", wilson_interval)):
            theirs = test.proportion_ci(method=method)
            assert ours(count, of) == pytest.approx((theirs.low, theirs.high), abs=1e-12), (method, count)
