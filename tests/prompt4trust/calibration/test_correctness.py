"""Words beside signals: against independent fits, what is found, what is not, and what stays monotone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from prompt4trust.calibration import Correctness, SeveralSignal
from prompt4trust.calibration.base import evidence
from prompt4trust.calibration.word_effects import MOST_WORDS, _Joint, word_columns
from prompt4trust.errors import MissingSignalError
from prompt4trust.evaluation import cross_fit
from prompt4trust.metrics import negative_log_likelihood
from prompt4trust.metrics.tally import BoolArray, FloatArray
from prompt4trust.question_signals.words import DESCRIBED, KNOWN, known_words

Drawn = tuple[FloatArray, BoolArray, dict[str, FloatArray]]


def drawn(rows: int, seed: int = 0, effect: float = 1.5) -> Drawn:
    """Answers whose signals see the truth through noise, and ten words, of which two say more and eight nothing."""
    random = np.random.default_rng(seed)
    truth = random.normal(0.5, 1, rows)
    stated, reply = (np.round(np.clip(expit(truth + random.normal(0, 1, rows)), 0.005, 0.995), 2) for _ in range(2))
    words = {f"{'says' if word == 9 else 'asks'}:{word}": (random.random(rows) < 0.4) * 1.0 for word in range(10)}
    truth = truth + effect * (words["asks:3"] - words["says:9"])
    return stated, random.random(rows) < expit(truth), {"reply_probability": reply, DESCRIBED: np.ones(rows), **words}


def test_it_is_the_ridge_regression_of_scaled_logits_and_words() -> None:
    stated, right, signals = drawn(400)
    fitted = Correctness.fit(stated, right, signals)
    assert fitted.spread > 0
    inputs = [
        evidence(stated, fitted.signals.clips[0]),
        evidence(signals["reply_probability"], fitted.signals.clips[1]),
    ]
    scaled = (np.column_stack(inputs) - np.mean(inputs, axis=1)) / np.std(inputs, axis=1)
    table = np.column_stack([scaled, *(fitted.spread * signals[name] for name in fitted.words)])
    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(table, right)
    assert min(fitted.signals.weights) > 0
    assert fitted.weights == pytest.approx((fitted.spread * other.coef_[0, 2:]).tolist(), abs=1e-3)
    assert fitted.apply(stated, signals) == pytest.approx(other.predict_proba(table)[:, 1], abs=1e-4)


def test_a_planted_effect_is_found_and_helps_on_other_answers() -> None:
    stated, right, signals = drawn(800, seed=1)
    fitted = Correctness.fit(stated, right, signals)
    weights = dict(zip(fitted.words, fitted.weights, strict=True))
    assert weights["asks:3"] > 0.8
    assert weights["says:9"] < -0.8
    assert max(abs(weight) for name, weight in weights.items() if name not in ("asks:3", "says:9")) < 0.5
    losses = [
        negative_log_likelihood(cross_fit(family, stated, right, signals=signals), right)
        for family in ("correctness", "several-signal")
    ]
    assert losses[0] < losses[1] - 0.05


def test_words_that_say_nothing_cost_nothing() -> None:
    differences, found = [], 0
    for seed in range(20):
        stated, right, signals = drawn(200, seed, effect=0)
        fitted = Correctness.fit(stated, right, signals)
        if not fitted.words:
            assert fitted.signals == SeveralSignal.fit(stated, right, signals)
            assert "none has a weight" in fitted.warnings()[0]
        found += bool(fitted.words)
        new = drawn(2000, seed + 100, effect=0)
        losses = [
            negative_log_likelihood(each.apply(new[0], new[2]), new[1])
            for each in (fitted, SeveralSignal.fit(stated, right, signals))
        ]
        differences.append(losses[0] - losses[1])
    assert found <= 2
    assert np.mean(differences) < 1e-3


def test_the_evidence_is_the_integral_that_it_approximates() -> None:
    stated, right, signals = drawn(300, seed=2)
    word = signals["asks:3"]
    joint = _Joint([np.zeros(len(stated))], word[:, None], right)  # a signal that does not vary drops out

    def log_likelihood(intercept: float, whitened: float, spread: float) -> float:
        line = intercept + spread * whitened * word
        return float(right @ line - np.logaddexp(0, line).sum())

    def integral(spread: float) -> float:
        peak = joint.mode(np.array([0.0, logit(right.mean()), 0.0]), spread)
        top = log_likelihood(peak[1], peak[2], spread)
        value, _ = dblquad(
            lambda whitened, intercept: np.exp(log_likelihood(intercept, whitened, spread) - top - whitened**2 / 2),
            *(peak[1] - 2, peak[1] + 2, -6, 6),
            epsabs=1e-4,
            epsrel=1e-4,
        )
        return float(top + np.log(value))

    start = np.array([0.0, logit(right.mean()), 0.0])
    gains = [joint.evidence(joint.mode(start, spread), spread) - joint.evidence(start, 0.0) for spread in (0.3, 1.0)]
    exact = [integral(spread) - integral(0.0) for spread in (0.3, 1.0)]
    assert gains == pytest.approx(exact, abs=0.05)


FITTED = Correctness.fit(*drawn(300, seed=3))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(FITTED.words)), st.floats(0, 1), st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_more_confidence_is_never_believed_less(words: set[str], other: float, stated: list[float]) -> None:
    stated = sorted(stated)
    same = {DESCRIBED: np.ones(len(stated)), **{word: np.ones(len(stated)) for word in words}}
    for confidence, reply in ((stated, [other] * len(stated)), ([other] * len(stated), stated)):
        assert (np.diff(FITTED.apply(confidence, {**same, "reply_probability": reply})) >= -1e-12).all()


def test_a_question_of_unknown_words_has_the_correction_without_words() -> None:
    told = {DESCRIBED: [1.0], "asks:200": [1.0], "reply_probability": [0.7]}
    assert FITTED.apply([0.8], told) == pytest.approx(FITTED.signals.apply([0.8], told))
    assert Correctness.from_parameters(FITTED.parameters()) == FITTED
    with pytest.raises(MissingSignalError, match=DESCRIBED):
        FITTED.apply([0.8], {"reply_probability": [0.7]})
    for untold in (0.0, float("nan")):
        with pytest.raises(MissingSignalError, match=DESCRIBED):
            FITTED.apply([0.8], {**told, DESCRIBED: [untold]})
    with pytest.raises(ValueError, match="shape"):
        FITTED.apply([0.8], {**told, FITTED.words[0]: [1.0, 0.0]})


def test_it_needs_the_words_of_every_answer() -> None:
    stated, right, signals = drawn(100)
    holes = np.where(np.arange(100) == 3, np.nan, 1.0)
    for without in ({}, {"reply_probability": stated}, {**signals, DESCRIBED: holes}):
        with pytest.raises(MissingSignalError, match="correctness needs the words of every question"):
            Correctness.fit(stated, right, without)
    assert Correctness.fit(stated, right, {DESCRIBED: np.ones(100)}).inputs() == ()


def test_records_of_calibrators_that_know_other_words_are_not_fitted_on_together() -> None:
    stated, right, signals = drawn(100)
    one, other = (
        next(name for name in known_words({}, known) if name.startswith(KNOWN)) for known in (["asks:1"], ["asks:3"])
    )
    assert one != other
    assert (
        Correctness.fit(stated, right, {**signals, one: np.ones(100)}).signals
        == Correctness.fit(stated, right, signals).signals
    )
    first = np.where(np.arange(100) < 50, 1.0, np.nan)
    second = np.where(np.arange(100) < 50, np.nan, 1.0)
    for mixed in ({one: first}, {one: first, other: second}):
        with pytest.raises(MissingSignalError, match="one and the same calibrator"):
            Correctness.fit(stated, right, {**signals, **mixed})


def test_a_word_of_few_wordings_has_no_weight() -> None:
    n, wordings = 60, 6
    place = np.arange(n)
    asked = {f"asks:{word}": (place % wordings == word) * 1.0 for word in range(wordings)}  # each asked 10 times
    rare, shared = np.isin(place, (0, 1, 2, 3)) * 1.0, np.isin(place, (0, 1, 2, 3, 4)) * 1.0
    columns = word_columns({DESCRIBED: np.ones(n), **asked, "says:1": rare, "says:2": shared}, n)
    assert columns is not None
    assert set(columns) == {*asked, "says:2"}  # of five wordings, or of one that is asked ten times
    fewer = {name: each[:-1] for name, each in asked.items()}
    less = word_columns({DESCRIBED: np.ones(n - 1), **fewer}, n - 1)
    assert less is not None
    assert set(less) == {f"asks:{word}" for word in range(wordings - 1)}


def test_of_many_words_those_are_taken_that_divide_the_answers_best() -> None:
    random, n = np.random.default_rng(0), 400
    shares = np.linspace(0.01, 0.5, MOST_WORDS + 40)
    words = {f"says:{place}": (random.random(n) < share) * 1.0 for place, share in enumerate(shares)}
    wordings = {f"asks:{word}": (np.arange(n) % 8 == word) * 1.0 for word in range(8)}
    found = word_columns({DESCRIBED: np.ones(n), **words, **wordings}, n)
    assert found is not None
    assert len(found) == MOST_WORDS
    least = min(min(each.mean(), 1 - each.mean()) for each in found.values())
    assert all(words[name].mean() <= least for name in words if name not in found)
