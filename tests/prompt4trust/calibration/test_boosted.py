"""Boosted trees of signals: scikit-learn's numbers, never falling, and where a sum of signals does as well or not."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from prompt4trust.calibration import Boosted, SeveralSignal
from prompt4trust.calibration.boosted import LEAST_ROWS
from prompt4trust.errors import MissingSignalError
from prompt4trust.evaluation import Prediction, choose_family
from prompt4trust.metrics import negative_log_likelihood
from prompt4trust.metrics.tally import BoolArray, FloatArray

Drawn = tuple[FloatArray, BoolArray, dict[str, FloatArray]]
NAMES = ("reply_probability", "vote_share")


def together(rows: int, seed: int = 0) -> Drawn:
    """Answers that are right where two signals are high at once, and seldom where only one is."""
    random = np.random.default_rng(seed)
    stated, reply, votes = random.integers(0, 101, rows) / 100, random.random(rows), random.integers(0, 22, rows) / 21
    right = random.random(rows) < 0.2 + 0.65 * (reply > 0.5) * (votes > 0.4) + 0.1 * stated
    return stated, right, dict(zip(NAMES, (reply, votes), strict=True))


def added(rows: int, seed: int = 0) -> Drawn:
    """Answers whose signals each see the truth through noise of their own: what they say adds up."""
    random = np.random.default_rng(seed)
    truth = random.normal(0.5, 1.5, rows)
    seen = [np.round(np.clip(expit(truth + random.normal(0, 1.5, rows)), 0.005, 0.995), 2) for _ in range(3)]
    return seen[0], random.random(rows) < expit(truth), dict(zip(NAMES, seen[1:], strict=True))


@cache
def of_together() -> Boosted:
    return Boosted.fit(*together(1000))


@pytest.mark.parametrize("drawn", [together(800, 3), added(LEAST_ROWS, 4)], ids=["together", "added"])
def test_it_is_scikit_learns_classifier_to_the_last_bit(drawn: Drawn) -> None:
    stated, right, signals = drawn
    fitted = Boosted.fit(stated, right, signals)
    assert fitted.inputs() == NAMES
    table = np.column_stack([stated, *signals.values()])
    order = np.lexsort((right, *table.T))
    model = HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=50, max_leaf_nodes=3, min_samples_leaf=40, l2_regularization=1.0,
        monotonic_cst=[1, 1, 1], early_stopping=False, random_state=0,
    )  # fmt: skip
    with threadpool_limits(1, user_api="openmp"):
        model.fit(table[order], right[order])
    new = np.vstack([table, np.random.default_rng(5).random((3000, 3)), [[0.0] * 3, [1.0] * 3]])
    given = dict(zip(NAMES, new[:, 1:].T, strict=True))
    assert fitted.apply(new[:, 0], given).tolist() == model.predict_proba(new)[:, 1].tolist()
    again = Boosted.from_parameters(json.loads(json.dumps(fitted.parameters(), allow_nan=False)))
    assert again == fitted
    assert again.apply(new[:, 0], given).tolist() == fitted.apply(new[:, 0], given).tolist()


UNIT = st.floats(0, 1)
POINT = st.tuples(UNIT, UNIT, UNIT)


@settings(max_examples=200, deadline=None)
@given(one=POINT, other=POINT)
def test_more_of_a_signal_never_lowers_the_confidence(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> None:
    points = np.array([np.minimum(one, other), one, other, np.maximum(one, other)])
    low, *between, high = of_together().apply(points[:, 0], dict(zip(NAMES, points[:, 1:].T, strict=True)))
    assert 0 < low <= min(between)
    assert max(between) <= high < 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(LEAST_ROWS, LEAST_ROWS + 200))
def test_whatever_it_is_fitted_on_it_rises_and_is_never_certain(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    table = random.choice([0.0, 0.2, 0.5, 0.9, 1.0], (rows, 3))
    right = random.random(rows) < random.choice([0.0, 0.5, 1.0], rows)  # of no order, or against the signals
    right[:2] = True, False
    fitted = Boosted.fit(table[:, 0], right, dict(zip(NAMES, table[:, 1:].T, strict=True)))
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 6)] * 3, indexing="ij"))
    cube = fitted.apply(grid[0], dict(zip(NAMES, grid[1:], strict=True)))
    assert all(np.all(np.diff(cube, axis=axis) >= 0) for axis in range(3))
    assert np.all((cube > 0) & (cube < 1))


def test_answers_that_a_signal_separates_make_it_sure_and_not_certain() -> None:
    reply = np.linspace(0, 1, 2000)
    fitted = Boosted.fit(np.full(2000, 0.9), reply > 0.5, {"reply_probability": reply})
    low, high = fitted.apply([0.9, 0.9], {"reply_probability": [0.0, 1.0]})
    assert 0.001 < low < 0.02
    assert 0.98 < high < 0.999
    assert fitted.warnings() == []
    against = Boosted.fit(np.full(2000, 0.9), reply < 0.5, {"reply_probability": reply})
    assert against.inputs() == ()
    assert against.apply(0.3) == pytest.approx(0.5)
    assert "same confidence" in against.warnings()[0]


def predictions(drawn: Drawn) -> list[Prediction]:
    stated, right, signals = drawn
    return [
        Prediction(
            id=str(place), estimator="cgp", truth="A", answer="A" if right[place] else "B", confidence=stated[place],
            signals={name: float(values[place]) for name, values in signals.items()},
        )
        for place in range(len(stated))
    ]  # fmt: skip


def test_it_is_taken_where_signals_count_together() -> None:
    choice = choose_family(predictions(together(1000)), dataset="held-out", resamples=2)
    assert choice.chosen == "boosted"
    new = together(5000, seed=9)
    summed = SeveralSignal.fit(*together(1000)).apply(new[0], new[2])
    loss, other = (negative_log_likelihood(each, new[1]) for each in (of_together().apply(new[0], new[2]), summed))
    assert loss < other - 0.05


def test_a_sum_of_signals_stays_chosen_where_they_add_up() -> None:
    choice = choose_family(predictions(added(1000)), dataset="held-out", resamples=2)
    assert choice.chosen in ("two-signal", "several-signal")
    assert choice.candidates[-1].family == "boosted"
    refused = choice.candidates[-1].refused
    assert refused is not None
    assert refused.startswith("not shown to be better: its log loss is ")
    assert choice.candidates[-1].metrics["nll"]["value"] is not None  # so that one sees by how much


def test_fewer_answers_than_it_needs_are_no_candidate() -> None:
    rows = LEAST_ROWS + 60  # of which each fit sees four fifths
    choice = choose_family(predictions(together(rows)), dataset="held-out", resamples=2)
    assert choice.chosen != "boosted"
    assert choice.candidates[-1].refused == f"boosted is fitted on at least {LEAST_ROWS} answers, not {rows * 4 // 5}"


def test_what_it_needs_it_names_and_no_more() -> None:
    stated, right, signals = added(LEAST_ROWS)
    with pytest.raises(MissingSignalError, match="boosted needs one of stated"):
        Boosted.fit(stated, right)
    level = np.full(LEAST_ROWS, 0.5)
    holes = np.where(np.arange(LEAST_ROWS) == 3, np.nan, stated)
    fitted = Boosted.fit(stated, right, {**signals, "stated": stated, "agreement": holes, "self_check": level})
    assert fitted.inputs() == NAMES
    with pytest.raises(MissingSignalError, match="'vote_share', which the answer does not carry"):
        fitted.apply(stated, {"reply_probability": stated})
    with pytest.raises(ValueError, match="shape"):
        fitted.apply(stated, {"reply_probability": stated, "vote_share": stated[:5]})
    with pytest.raises(ValueError, match="every vote_share must be"):
        fitted.apply(stated, {"reply_probability": stated, "vote_share": stated + 1})


def test_a_file_stays_small_whatever_is_fitted() -> None:
    random = np.random.default_rng(1)
    names = (
        "stated",
        "agreement",
        "reply_support",
        "letter_probability",
        "vote_share",
        "picture_support",
        "guess_margin",
    )
    signals = {name: random.random(4000) for name in names}
    right = random.random(4000) < np.mean(list(signals.values()), axis=0)
    fitted = Boosted.fit(random.random(4000), right, signals)
    assert len(fitted.trees.columns) <= 50 * 5
    assert len(json.dumps(fitted.parameters())) < 10_000


def test_it_is_applied_without_what_fits_it() -> None:
    """As in the gateway, whose image has no scikit-learn."""
    program = f"""
import sys
sys.modules.update(dict.fromkeys(("sklearn", "threadpoolctl", "pandas"), None))
from prompt4trust.calibration import Boosted
print(Boosted.from_parameters({of_together().parameters()!r}).apply(0.7, dict.fromkeys({NAMES!r}, 0.6)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True)
    assert float(done.stdout) == of_together().apply(0.7, dict.fromkeys(NAMES, 0.6))
