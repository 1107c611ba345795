"""Payments of bets, against the ratio of probabilities written out; none is expected to gain where confidence holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.monitoring import CALIBRATION, OVERCONFIDENCE, PROMISE, Bet, Bets

shares = st.floats(0, 1)
tolerances = st.sampled_from([0.0, 0.01, 0.02, 0.1, 0.3])


@given(confidence=shares, tolerance=tolerances, place=shares)
def test_no_bet_has_a_gain_in_prospect_while_the_confidence_is_within_its_tolerance(
    confidence: float, tolerance: float, place: float
) -> None:
    least, most = max(confidence - tolerance, 0.0), min(confidence + tolerance, 1.0)
    truth = least + place * (most - least)
    if_right, if_wrong = np.exp(CALIBRATION.log_payments([confidence] * 2, [True, False], tolerance))
    assert np.all(truth * if_right + (1 - truth) * if_wrong <= 1 + 1e-12)
    # A promise is only broken from below: more right answers than promised are no news.
    better = confidence + place * (1 - confidence)
    if_right, if_wrong = np.exp(PROMISE.log_payments([confidence] * 2, [True, False], 0.0))
    assert np.all(better * if_right + (1 - better) * if_wrong <= 1 + 1e-12)


@pytest.mark.parametrize(
    ("bet", "confidence", "tolerance", "border"),
    [
        (Bet("overconfident", 0, 1, -0.7, 1, 1), 0.9, 0.02, 0.88),
        (Bet("underconfident", 0, 1, 0.7, 1, 1), 0.9, 0.02, 0.92),
        (Bet("too extreme", 0, 1, 0, 0.5, 1), 0.9, 0.05, 0.85),
        (Bet("too extreme", 0, 1, 0, 0.5, 1), 0.2, 0.05, 0.25),
        (Bet("too timid", 0, 1, 0, 1.5, 1), 0.7, 0.05, 0.75),
    ],
)
def test_a_payment_is_the_ratio_of_the_claimed_probability_to_that_at_the_border(
    bet: Bet, confidence: float, tolerance: float, border: float
) -> None:
    odds = border / (1 - border)
    claimed_odds = odds**bet.slope * math.exp(bet.shift)
    claimed = claimed_odds / (1 + claimed_odds)
    paid = np.exp(Bets("one", [bet]).log_payments([confidence, confidence], [True, False], tolerance))
    assert paid[:, 0] == pytest.approx([claimed / border, (1 - claimed) / (1 - border)])


def test_bets_are_silent_outside_their_region_and_where_everything_is_tolerated() -> None:
    high = Bets("high", [Bet("overconfident", 0.8, 1, -1, 1, 1)])
    paid = high.log_payments([0.79, 0.8, 1.0], [False, False, False], 0.0)[:, 0]
    assert paid[0] == 0
    assert np.all(paid[1:] > 0)
    assert paid[2] == pytest.approx(1.0)  # a certainty that failed is paid what was staked on it, and no infinity
    # Nothing can be right less often than never, nor stated nearer to one half than one half.
    low = Bets("low", [Bet("overconfident", 0, 1, -1, 1, 0.5), Bet("too extreme", 0, 1, 0, 0.5, 0.5)])
    assert np.all(low.log_payments([0.02], [False], 0.03)[:, 0] == 0)
    assert np.all(low.log_payments([0.51], [False], 0.03)[:, 1] == 0)


def test_tables_are_sound() -> None:
    for table in (CALIBRATION, OVERCONFIDENCE, PROMISE):
        assert np.exp(table.log_weights).sum() == pytest.approx(1)
        assert all((bet.direction == "overconfident") == (bet.shift < 0) for bet in table.bets if bet.shift)
    assert {bet.region for bet in CALIBRATION.bets} == {"everywhere", "below 0.5", "0.5 to 0.8", "0.8 and above"}
    with pytest.raises(ValueError, match="sum to 1"):
        Bets("none", [])
