"""The second signal that is taken beside the confidence."""

from __future__ import annotations

from prompt4trust.calibration.two_signal import TwoSignal


def test_a_signal_that_never_varies_is_passed_over() -> None:
    confidence, right = [0.9, 0.8, 0.7, 0.6] * 10, [True, False, True, False] * 10
    signals = {"stated": [0.95] * 40, "reply_probability": [0.9, 0.3, 0.8, 0.4] * 10}
    assert TwoSignal.fit(confidence, right, signals).second == "reply_probability"
    assert TwoSignal.fit(confidence, right, {"stated": [0.95] * 40}).second == "stated"
