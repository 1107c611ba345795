"""Promises of every family, whatever its curve: ranges, ties, order, JSON, and refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompt4trust.calibration import FAMILIES, Calibrator, get_family
from prompt4trust.calibration.base import Value
from prompt4trust.calibration.boosted import LEAST_ROWS
from prompt4trust.metrics.tally import FloatArray
from tests.prompt4trust.calibration.answers import GRID, PER_CENTS, SEEDS, outcomes, overconfident

NEVER_FALLING = ("identity", "temperature", "beta", "isotonic", "venn-abers")
ORDERED = ("platt", "platt-raw")  # one way or the other

MODEL: dict[str, Value] = {
    "signals": "-",
    "weights": [1.0],
    "intercept": 0.0,
    "clips": [0.1],
    "words": "asks:7 says:0",
    "word_weights": [0.1, -0.1],
    "spread": 0.1,
}

TREES: dict[str, Value] = {
    "signals": "a",
    "intercept": 0.0,
    "columns": [0.0, -1.0, 1.0, -1.0, -1.0],
    "values": [0.5, -1.0, 0.5, 0.0, 1.0],
}

every_family = pytest.mark.parametrize("family", FAMILIES)


def signals_of(n: int, seed: int) -> dict[str, FloatArray]:
    """Signals and words that say nothing."""
    random = np.random.default_rng(seed)
    return {
        "agreement": random.integers(0, 21, n) / 20,
        "words_described": np.ones(n),
        "asks:7": random.random(n).round(),
    }


def enough(family: str, stated: FloatArray) -> FloatArray:
    """Repeat answers until there are as many as a family is fitted on."""
    return np.tile(stated, -(-LEAST_ROWS // len(stated))) if family == "boosted" else stated


def fitted(family: str, stated: FloatArray, seed: int) -> Calibrator:
    stated = enough(family, stated)
    return get_family(family).fit(stated, outcomes(stated, seed), signals_of(len(stated), seed))


def applied(calibrator: Calibrator, stated: FloatArray) -> FloatArray:
    told = {"words_described": 1.0}  # which is 1 of every answer
    return calibrator.apply(stated, {name: np.full(stated.shape, told.get(name, 0.4)) for name in calibrator.inputs()})


@every_family
@settings(max_examples=30, deadline=None)
@given(stated=PER_CENTS, seed=SEEDS)
def test_ranges_order_and_json(family: str, stated: FloatArray, seed: int) -> None:
    calibrator = fitted(family, stated, seed)
    corrected = applied(calibrator, GRID)
    assert np.all((corrected >= 0) & (corrected <= 1))
    steps = np.diff(corrected)
    if family in NEVER_FALLING:
        assert np.all(steps >= 0)
    if family in ORDERED:
        assert np.all(steps >= 0) or np.all(steps <= 0)

    # Through JSON and back, bit for bit.
    parameters = json.loads(json.dumps(calibrator.parameters(), allow_nan=False))
    again = get_family(family).from_parameters(parameters)
    assert again == calibrator
    assert np.array_equal(applied(again, GRID), corrected)
    ends, ends_again = calibrator.interval(GRID), again.interval(GRID)
    assert (ends is None) == (family != "venn-abers")
    if ends is not None and ends_again is not None:
        assert np.array_equal(ends, ends_again)
        assert np.all((ends[0] >= 0) & (ends[0] <= ends[1] + 1e-12) & (ends[1] <= 1))
        assert np.all(np.diff(ends[0]) >= 0)
        assert np.all(np.diff(ends[1]) >= 0)


@every_family
@settings(max_examples=20, deadline=None)
@given(stated=PER_CENTS, seed=SEEDS, order=st.randoms(use_true_random=False))
def test_ties_are_kept_and_the_order_of_rows_does_not_matter(
    family: str, stated: FloatArray, seed: int, order: st.DataObject
) -> None:
    stated = enough(family, stated)
    correct = outcomes(stated, seed)
    signals = signals_of(len(stated), seed)
    calibrator = get_family(family).fit(stated, correct, signals)
    corrected = applied(calibrator, stated)
    for level in np.unique(stated):
        assert len(set(corrected[stated == level].tolist())) == 1
    rows = np.random.default_rng(seed).permutation(len(stated))
    shuffled = get_family(family).fit(stated[rows], correct[rows], {name: each[rows] for name, each in signals.items()})
    assert applied(shuffled, GRID) == pytest.approx(applied(calibrator, GRID), abs=1e-5)


@every_family
def test_confidences_of_any_shape(family: str) -> None:
    calibrator = fitted(family, overconfident(60)[0], 1)
    row = applied(calibrator, np.array([0.3, 0.7]))
    assert row.shape == (2,)
    assert applied(calibrator, np.array([[0.3, 0.7]])).tolist() == [row.tolist()]
    alone = applied(calibrator, np.array(0.3))
    assert alone.shape == ()
    assert float(alone) == row[0]


@every_family
def test_one_confidence_for_all_becomes_the_accuracy(family: str) -> None:
    stated, correct = np.full(400, 0.95), np.arange(400) < 260
    signals = {"agreement": np.full(400, 0.5), "words_described": np.ones(400), "asks:7": np.ones(400)}
    calibrator = get_family(family).fit(stated, correct, signals)
    corrected = applied(calibrator, np.array([0.95]))
    # Identity cannot, and an interval's middle lies a little off.
    wanted = 0.95 if family == "identity" else 0.65
    assert corrected == pytest.approx([wanted], abs=2e-3)
    assert bool(calibrator.warnings()) == (family not in ("identity", "temperature"))


@every_family
@pytest.mark.parametrize(
    ("stated", "correct", "message"),
    [
        (np.full(19, 0.5), np.arange(19) % 2, "at least 20 answers, not 19"),
        (np.full(20, 0.5), np.ones(20), "all right"),
        (np.full(20, 0.5), np.zeros(20), "all wrong"),
        (np.full(20, 1.5), np.arange(20) % 2, r"in \[0, 1\]"),
        (np.full(20, math.nan), np.arange(20) % 2, r"in \[0, 1\]"),
        (np.full(20, 0.5), np.arange(21) % 2, "shape"),
        ([], [], "no rows"),
    ],
)
def test_refuses_what_cannot_be_fitted(family: str, stated: FloatArray, correct: FloatArray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_family(family).fit(stated, correct)


@every_family
@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan])
def test_applies_to_confidences_only(family: str, confidence: float) -> None:
    calibrator = fitted(family, overconfident(60)[0], 1)
    with pytest.raises(ValueError, match=r"every confidence must be a number in \[0, 1\]"):
        applied(calibrator, np.array([0.5, confidence]))


WRONG: tuple[Value, ...] = (math.nan, [math.inf], "", [0.5, 0.4, 0.3])


def damaged(parameters: dict[str, Value]) -> list[dict[str, Value]]:
    """Leave out, add, and spoil each parameter in turn; a clip may be missing, as it is in older files."""
    cases: list[dict[str, Value]] = [{**parameters, "more": 1.0}]
    for name in parameters:
        if name != "clip":
            cases.append({key: value for key, value in parameters.items() if key != name})
        cases += [{**parameters, name: wrong} for wrong in WRONG]
    return cases


@every_family
def test_foreign_parameters_are_refused(family: str) -> None:
    calibrator = fitted(family, overconfident(60)[0], 1)
    for wrong in damaged(calibrator.parameters()):
        with pytest.raises(ValueError, match=family):
            get_family(family).from_parameters(wrong)


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("temperature", {"temperature": 0.0}),
        ("temperature", {"temperature": 1.0, "clip": 0.0}),
        ("platt", {"slope": 1.0, "intercept": 0.0, "clip": 0.5}),
        ("platt-raw", {"slope": 1.0, "intercept": 0.0, "clip": 0.005}),
        ("beta", {"a": 1.0, "b": 1.0, "m": 0.0, "clip": -0.1}),
        ("beta", {"a": -1.0, "b": 1.0, "m": 0.0}),
        ("isotonic", {"confidences": [], "shares": []}),
        ("isotonic", {"confidences": [0.1, 0.2], "shares": [0.5, 0.4]}),
        ("isotonic", {"confidences": [0.1, 0.2], "shares": [0.5, 1.4]}),
        ("histogram", {"edges": [0.5], "shares": [0.5]}),
        ("histogram", {"edges": [0.5, 0.4], "shares": [0.5, 0.5, 0.5]}),
        ("venn-abers", {"confidences": [0.5], "p0": [0.0, 0.7], "p1": [0.6, 1.0]}),
        ("two-signal", {"second": "agreement", "weights": [1.0, 1.0], "intercept": 0.0, "clips": [0.1, 0.5]}),
        ("two-signal", {"second": "agreement", "weights": [1.0], "intercept": 0.0, "clips": [0.1, 0.1]}),
        ("several-signal", {"signals": "a b", "weights": [1.0, 1.0], "intercept": 0.0, "clips": [0.1, 0.1]}),
        ("several-signal", {"signals": "a", "weights": [1.0, -0.1], "intercept": 0.0, "clips": [0.1, 0.1]}),
        ("several-signal", {"signals": "a", "weights": [1.0, 0.1], "intercept": 0.0, "clips": [0.1, 0.5]}),
        ("several-signal", {"signals": "a a", "weights": [1.0, 0.1, 0.1], "intercept": 0.0, "clips": [0.1] * 3}),
        ("correctness", {**MODEL, "weights": [-1.0]}),
        ("correctness", {**MODEL, "words": "asks:7 asks:7"}),
        ("correctness", {**MODEL, "words": "asks:7 agreement"}),
        ("correctness", {**MODEL, "word_weights": [0.1]}),
        ("correctness", {**MODEL, "spread": -0.1}),
        ("boosted", {**TREES, "signals": "a a"}),
        ("boosted", {**TREES, "signals": "a b"}),
        ("boosted", {**TREES, "signals": "-"}),
        ("boosted", {**TREES, "columns": [0.0, -1.0, 1.5, -1.0, -1.0]}),
        ("boosted", {**TREES, "columns": [0.0, -1.0, 1.0, -1.0]}),
        ("boosted", {**TREES, "values": [0.5, -1.0, 1.5, 0.0, 1.0]}),
        ("boosted", {**TREES, "values": [0.5, -1.0, 0.5, 1.0, 0.0]}),
        ("boosted", {**TREES, "intercept": 29.5}),
        ("boosted", {**TREES, "intercept": -29.5}),
    ],
)
def test_impossible_curves_are_refused(family: str, parameters: dict[str, Value]) -> None:
    with pytest.raises(ValueError, match=family):
        get_family(family).from_parameters(parameters)


def test_families_by_name_from_the_simplest() -> None:
    assert all(kind.family == name for name, kind in FAMILIES.items())
    assert list(FAMILIES)[:3] == ["identity", "temperature", "platt"]
    assert len(FAMILIES) == 12
    with pytest.raises(ValueError, match=r"unknown calibrator family 'magic'; there are identity, temperature, platt"):
        get_family("magic")
