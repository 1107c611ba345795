"""The test that may be looked at after every answer: its promise by enumeration, its speed, its memory."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prompt4trust.monitoring import CALIBRATION, PROMISE, SequentialTest, StateError

shares = st.floats(0, 1)


def seen(test: SequentialTest, confidence: Any, correct: Any) -> SequentialTest:
    test.update(confidence, correct)
    return test


@settings(max_examples=20)
@given(
    confidences=st.lists(shares, min_size=4, max_size=4),
    tolerance=st.sampled_from([0.0, 0.02, 0.2]),
    after_right=shares,
    after_wrong=shares,
)
@example(confidences=[0.0, 0.0, 8e-237, 2e-271], tolerance=0.0, after_right=0.0, after_wrong=0.0)
def test_over_all_courses_of_a_tolerable_stream_the_e_value_is_1_on_average_at_most(
    confidences: list[float], tolerance: float, after_right: float, after_wrong: float
) -> None:
    """The truth moves within the tolerance, by what came before: the test must not be fooled by that."""
    expected, crossed = 0.0, 0.0
    for course in itertools.product([True, False], repeat=len(confidences)):
        # By its logarithm: the e-value of a course that is next to impossible is as large as that is small.
        log_probability, before = 0.0, True
        for confidence, right in zip(confidences, course, strict=True):
            least, most = max(confidence - tolerance, 0.0), min(confidence + tolerance, 1.0)
            truth = least + (after_right if before else after_wrong) * (most - least)
            happens = truth if right else 1 - truth
            log_probability += math.log(happens) if happens > 0 else -math.inf
            before = right
        test = seen(SequentialTest(0.9, tolerance), confidences, course)
        expected += math.exp(log_probability + test.log_e)
        crossed += math.exp(log_probability) * (test.alarm is not None)
    assert expected <= 1 + 1e-9
    assert crossed <= 0.9 + 1e-9


@given(st.lists(st.tuples(shares, st.booleans()), min_size=1, max_size=30), st.integers(0, 30))
def test_a_saved_test_goes_on_as_if_it_had_never_stopped(rows: list[tuple[float, bool]], cut: int) -> None:
    confidence, correct = [row[0] for row in rows], [row[1] for row in rows]
    whole = seen(SequentialTest(0.3, 0.01), confidence, correct)
    part = seen(SequentialTest(0.3, 0.01), confidence[:cut], correct[:cut])
    saved = json.loads(json.dumps(part.state(), allow_nan=False))
    later = seen(SequentialTest.restore(saved), confidence[cut:], correct[cut:])
    assert (later.n, later.alarm, later.finding()) == (whole.n, whole.alarm, whole.finding())
    assert later.log_e == pytest.approx(whole.log_e, abs=1e-12)
    assert later.log_peak == pytest.approx(whole.log_peak, abs=1e-12)
    assert len(json.dumps(whole.state())) < 6000  # however long the stream


def test_the_money_is_that_of_a_loop_over_all_beginnings() -> None:
    rng = np.random.default_rng(5)
    confidence = rng.uniform(0.3, 1, 60)
    correct = rng.random(60) < confidence - 0.2
    test = seen(SequentialTest(0.05, 0.03), confidence, correct)
    paid = np.exp(CALIBRATION.log_payments(confidence, correct, 0.03))
    # From the k-th answer on (k = 0: from the first): 1/2, then what is left of 500 / (k + 1000).
    given_to = [0.5] + [500 / (k + 999) - 500 / (k + 1000) for k in range(1, 61)]
    money = 500 / 1060 + sum(
        share * float(np.exp(CALIBRATION.log_weights) @ paid[begin:].prod(axis=0))
        for begin, share in enumerate(given_to)
    )
    assert test.log_e == pytest.approx(math.log(money))


def test_calibrated_streams_rarely_alarm_and_shifted_ones_soon() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(20):
        confidence = rng.choice([0.32, 0.4, 0.62, 0.93], 600, p=[0.16, 0.15, 0.24, 0.45])
        # As far off as is tolerated, all one way: the hardest of what is no news.
        alarms += seen(SequentialTest(0.05, 0.02), confidence, rng.random(600) < confidence - 0.02).alarm is not None
    assert alarms <= 2
    delays = []
    for _ in range(9):
        confidence = rng.choice([0.32, 0.4, 0.62, 0.93], 1200, p=[0.16, 0.15, 0.24, 0.45])
        truth = np.where((np.arange(1200) >= 600) & (confidence > 0.9), 0.70, confidence)  # lifts ECE to 0.1
        crossing = seen(SequentialTest(0.05, 0.02), confidence, rng.random(1200) < truth).alarm
        assert crossing is not None
        assert crossing.finding is not None
        assert crossing.finding.direction in ("overconfident", "too extreme")
        delays.append(crossing.answer - 600)
        if crossing.finding.region == "0.8 and above":
            assert crossing.finding.stated == pytest.approx(0.93)
            assert crossing.finding.right == pytest.approx(0.7, abs=0.2)
            assert crossing.finding.since == pytest.approx(600, abs=120)
    assert 20 < np.median(delays) < 200


def test_too_many_right_answers_are_news_for_calibration_but_not_for_a_promise() -> None:
    confidence = np.full(400, 0.8)
    under = seen(SequentialTest(), confidence, np.arange(400) % 20 != 0).alarm
    assert under is not None
    assert under.finding is not None
    assert under.finding.direction == "underconfident"
    kept = seen(SequentialTest(0.05, 0.0, PROMISE), confidence, np.arange(400) % 20 != 0)
    assert kept.alarm is None
    broken = seen(SequentialTest(0.05, 0.0, PROMISE), confidence, np.arange(400) % 3 != 0)
    assert broken.alarm is not None


def test_an_alarm_stays_and_evidence_may_go() -> None:
    test = seen(SequentialTest(), np.full(60, 0.9), np.arange(60) % 2 == 0)
    first = test.alarm
    assert first is not None
    assert first.finding is not None
    assert test.log_peak >= math.log(20)
    test.update(np.full(2000, 0.9), np.arange(2000) % 10 != 0)
    assert test.log_e < test.log_peak
    assert test.alarm == first
    test.update([], [])
    assert test.n == 2060


def test_certainty_and_long_streams_stay_finite() -> None:
    test = seen(SequentialTest(0.05, 0.0), np.tile([0.0, 1.0], 3000), np.tile([True, False], 3000))
    assert math.isfinite(test.log_e)
    assert test.log_e > 1000
    json.dumps(test.state(), allow_nan=False)
    assert seen(SequentialTest(0.05, 0.0), np.tile([0.0, 1.0], 500), np.tile([False, True], 500)).log_e <= 0


def test_what_is_no_stream_or_no_state_is_refused() -> None:
    test = SequentialTest()
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        test.update([0.5, 1.5], [True, False])
    assert test.n == 0
    for alpha, tolerance in ((0.0, 0.0), (1.0, 0.0), (0.05, -0.1), (0.05, 0.5)):
        with pytest.raises(ValueError, match="must be in"):
            SequentialTest(alpha, tolerance)
    state = test.state()
    assert test.finding() is None
    changes: tuple[dict[str, Any], ...] = (
        {"format": 9},
        {"bets": "others@1"},
        {"log_each": [0.0]},
        {"n": None},
        {"recent": {}},
    )
    for change in changes:
        with pytest.raises(StateError):
            SequentialTest.restore({**state, **change})
    with pytest.raises(StateError):
        SequentialTest.restore({})
