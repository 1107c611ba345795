"""The quality of a reference: shares, separation, and halves that judge each other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from prompt4trust.shift import PictureAndWords, fit
from prompt4trust.shift.reference_quality import beyond, judge_held_out, separation
from tests.prompt4trust.shift.questions import described


def test_shares_have_exact_intervals() -> None:
    share = beyond(np.array([0.98, 0.99, 0.995, 0.1]), 0.99)
    assert (share.count, share.n, share.value) == (2, 4, 0.5)
    assert (share.low, share.high) == pytest.approx((0.0676, 0.9324), abs=1e-4)  # Clopper and Pearson's table
    none = beyond(np.zeros(20), 0.99)
    assert (none.low, none.high) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))


def test_separation_is_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(0)
    usual, unusual = rng.random(200).round(1), (0.3 + 0.7 * rng.random(300)).round(1)
    found = separation(usual, unusual, resamples=100)
    assert found.value == pytest.approx(roc_auc_score([0] * 200 + [1] * 300, [*usual, *unusual]))
    assert found.low < found.value < found.high


def test_each_half_judges_the_other() -> None:
    rows = described(600)
    fitted = fit(rows, PictureAndWords())
    usual, none = judge_held_out(fitted, rows)
    assert none == {}
    assert {name: len(scores) for name, scores in usual.items()} == {"picture": 400, "words": 400, "both": 400}
    # Never by itself: the largest distance of all has nothing as large to be compared with.
    first, second = fitted.parts["picture"].held[:200], fitted.parts["picture"].held[200:]
    by_hand = [1 - (1 + sum(other >= each for other in second)) / 201 for each in first]
    assert usual["picture"][:200] == pytest.approx(by_hand)
    strange = judge_held_out(fitted, rows, described(30, seed=4, kind="stripes"))[1]
    assert separation(usual["both"], strange["both"], resamples=10).value > 0.99
    assert separation(usual["words"], strange["words"], resamples=10).value < 0.7
