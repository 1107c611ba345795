"""All signals at once: against an independent fit, their signs, and what few answers cannot shake."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from prompt4trust.calibration import SeveralSignal, TwoSignal
from prompt4trust.calibration.base import evidence
from prompt4trust.errors import MissingSignalError
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.tally import BoolArray, FloatArray, Tally

Drawn = tuple[FloatArray, BoolArray, dict[str, FloatArray]]


def drawn(rows: int, seed: int = 0) -> Drawn:
    """Three signals that each see the truth through noise of their own, in whole per cents."""
    random = np.random.default_rng(seed)
    truth = random.normal(0.5, 1.5, rows)
    seen = [np.round(np.clip(expit(truth + random.normal(0, 1.5, rows)), 0.005, 0.995), 2) for _ in range(3)]
    names = ("reply_probability", "vote_share")
    return seen[0], random.random(rows) < expit(truth), dict(zip(names, seen[1:], strict=True))


def test_it_is_the_ridge_regression_of_scaled_logits_where_no_sign_binds() -> None:
    stated, right, signals = drawn(300)
    fitted = SeveralSignal.fit(stated, right, signals)
    columns = [evidence(each, clip) for each, clip in zip([stated, *signals.values()], fitted.clips, strict=True)]
    table = np.column_stack(columns)
    scaled = (table - table.mean(axis=0)) / table.std(axis=0)
    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(scaled, right)
    assert min(fitted.weights) > 0
    assert fitted.apply(stated, signals) == pytest.approx(other.predict_proba(scaled)[:, 1], abs=1e-4)


def test_no_signal_speaks_against_an_answer() -> None:
    stated, right, signals = drawn(400)
    fitted = SeveralSignal.fit(stated, right, {**signals, "agreement": 1 - signals["vote_share"]})
    without = SeveralSignal.fit(stated, right, signals)
    assert fitted.inputs() == without.inputs() == ("reply_probability", "vote_share")  # no answer needs the other
    assert fitted.weights == pytest.approx(without.weights, abs=1e-4)
    assert fitted.apply(stated, signals) == pytest.approx(without.apply(stated, signals), abs=1e-4)


def test_a_reply_without_words_of_certainty_is_calibrated_all_the_same() -> None:
    stated, right, signals = drawn(200)
    fitted = SeveralSignal.fit(stated, right, {**signals, "words_certainty": np.where(right, 0.97, 0.15)})
    assert fitted.inputs() == ("reply_probability", "vote_share")
    with pytest.raises(MissingSignalError):
        SeveralSignal.fit(stated, right, {"words_certainty": np.where(right, 0.97, 0.15)})


def test_a_probability_that_another_answer_has_takes_no_weight_from_what_supports_this_one() -> None:
    stated, right, signals = drawn(400)
    support = np.where(np.arange(400) % 50 == 0, 0.25, signals["reply_probability"])
    fitted = SeveralSignal.fit(stated, right, {**signals, "reply_support": support})
    assert fitted.inputs() == ("reply_support", "vote_share")
    assert fitted == SeveralSignal.fit(stated, right, {"reply_support": support, "vote_share": signals["vote_share"]})
    # Answers of before, some of which tell the probability alone, are calibrated by it.
    older = {**signals, "reply_support": np.where(np.arange(400) < 9, np.nan, support)}
    assert SeveralSignal.fit(stated, right, older) == SeveralSignal.fit(stated, right, signals)


def test_where_no_signal_says_anything_none_is_needed() -> None:
    stated, right, _ = drawn(200)
    fitted = SeveralSignal.fit(stated, right, {"agreement": 1 - np.where(right, 0.9, 0.1)})
    assert fitted.inputs() == ()
    again = SeveralSignal.from_parameters(fitted.parameters())
    assert again == fitted
    assert again.apply(stated) == pytest.approx(fitted.apply(stated))


def test_more_signals_tell_more_and_do_not_run_wild_on_few_answers() -> None:
    stated, right, signals = drawn(4000, seed=1)
    tally = [
        Tally.of(kind.fit(*drawn(60, seed=2)).apply(stated, signals), right) for kind in (TwoSignal, SeveralSignal)
    ]
    two, several = (float(METRICS["nll"](each)[0]) for each in tally)
    assert several < two
    # Two answers of which one is right cannot be told apart with certainty by any sum of signals.
    sure = SeveralSignal.fit([0.9] * 15 + [0.5] * 5, [True] * 15 + [False] * 5, {"agreement": [1.0] * 15 + [0.0] * 5})
    assert 0.9 < sure.apply(np.array(0.9), {"agreement": np.array(1.0)}) < 0.999


def test_what_it_needs_it_names() -> None:
    stated, right, signals = drawn(100)
    with pytest.raises(MissingSignalError, match="several-signal needs one of stated"):
        SeveralSignal.fit(stated, right, {"entropy": stated})
    holes = np.where(np.arange(100) == 3, np.nan, stated)
    fitted = SeveralSignal.fit(stated, right, {**signals, "stated": stated, "agreement": holes})
    assert fitted.inputs() == ("reply_probability", "vote_share")
    with pytest.raises(MissingSignalError, match="'vote_share', which the answer does not carry"):
        fitted.apply(stated, {"reply_probability": stated})
    with pytest.raises(ValueError, match="shape"):
        fitted.apply(stated, {"reply_probability": stated, "vote_share": stated[:5]})
    with pytest.raises(ValueError, match="every vote_share must be"):
        fitted.apply(stated, {"reply_probability": stated, "vote_share": stated + 1})
    level = SeveralSignal.fit(np.full(100, 0.7), right, {"agreement": np.full(100, 0.5)})
    assert level.apply(0.7, {"agreement": 0.5}) == pytest.approx(right.mean())
    assert logit(right.mean()) == pytest.approx(level.intercept)
    assert "same confidence" in level.warnings()[0]


def test_a_question_farther_from_the_known_ones_is_never_believed_more() -> None:
    """Whatever the answers say: where those far away are right more often, the distance has no say."""
    stated, right, signals = drawn(400)
    name = "typicality:0123456789abcdef"
    near = np.where(right, signals["vote_share"], 0.2)
    fitted = SeveralSignal.fit(stated, right, {name: near})
    assert fitted.inputs() == (name,)
    grid = np.linspace(0.001, 1, 50)
    corrected = fitted.apply(np.full(50, 0.8), {name: grid})
    assert (np.diff(corrected) >= 0).all()
    assert corrected[-1] > corrected[0] + 0.1
    assert SeveralSignal.fit(stated, right, {name: np.where(right, 0.1, 0.9)}).inputs() == ()
    # That of other reference inputs is another signal, and nothing takes its place.
    with pytest.raises(MissingSignalError, match=name):
        fitted.apply([0.8], {"typicality:fedcba9876543210": [0.5], "stated_typicality": [0.5]})
    assert SeveralSignal.from_parameters(fitted.parameters()) == fitted
