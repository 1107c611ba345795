"""Fit on one split, measure on another: what the chosen correction makes of each method's confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.calibration.study import Answers
from prompt4trust.calibration import Calibrator, MissingSignalError, get_family
from prompt4trust.evaluation import CannotChooseError, choose_family
from prompt4trust.metrics.calibration import ece_of, nll_of, smooth_ece_of
from prompt4trust.metrics.consistency import consistency_band
from prompt4trust.metrics.selective import auroc_of
from prompt4trust.metrics.tally import Tally

MEASURES = {"ece": ece_of, "smooth_ece": smooth_ece_of, "nll": nll_of, "auroc": auroc_of}
TWO_SIGNAL = "two-signal"
RATIO_TOLERATED = 1.1
"""A correction may leave an already good confidence alone; it must not make it worse than this, beyond noise."""

Floats = npt.NDArray[np.float64]


def effect(
    answers: Answers, test: Answers, *, rows: int, draws: int = 20, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Fit what `trustvqa calibrate` would choose on a draw of rows, and measure on the test answers.

    Args:
        answers: Of the calibration split.
        test: Of the test split: nothing is chosen on them.
        rows: Answers to fit on.
        draws: How often rows are drawn; the figures with intervals are of the first draw, the others show the spread.
        resamples: Of the bootstrap over the test answers and of the consistency band.
        seed: Of everything random.

    Returns:
        The family; each measure before, after and as change, with 95 % intervals, the same test answers drawn for
        both; the band in which the ECE of a perfectly calibrated model of these confidences lies; over the draws the
        mean and the largest ECE and the share of draws within their band; and the AUROC that two signals gain on one.

    Raises:
        ValueError: If there are fewer than `rows` answers, or nothing can be fitted to them.
    """
    if len(answers.rows) < rows:
        raise ValueError(f"{len(answers.rows)} answers are too few to fit on {rows}")
    random = np.random.default_rng(seed)
    places = [random.permutation(len(answers.rows))[:rows] for _ in range(draws)]
    family, corrected = _corrected(answers.at(places[0]), test, seed)
    found: dict[str, Any] = {
        "fitted_on": rows,
        "measured_on": len(test.rows),
        "family": family,
        **_compared(test.confidence, corrected, test.correct, resamples, seed),
        "band": consistency_band(corrected, ece_of, resamples=resamples, seed=seed).as_json(),
        "spread": _spread(answers, test, places, seed),
    }
    try:
        fitted = get_family(TWO_SIGNAL).fit(*_drawn(answers.at(places[0])))
        both = _applied(fitted, test)
    except (MissingSignalError, ValueError):
        return found
    compared = _compared(test.confidence, both, test.correct, resamples, seed)
    return {**found, "two_signal": {"second": fitted.inputs()[0], **{key: compared[key] for key in ("ece", "auroc")}}}


def verdict(found: Mapping[str, Any]) -> str:
    """Say whether a correction kept to what is asked of it: improved or left alone, beyond noise."""
    low = found["ece"]["ratio"]["low"]
    return "worse" if low > RATIO_TOLERATED else "kept"


def _drawn(answers: Answers) -> tuple[Floats, npt.NDArray[np.bool_], Mapping[str, Floats]]:
    return answers.confidence, answers.correct, answers.signals


def _corrected(fitted_on: Answers, test: Answers, seed: int) -> tuple[str, Floats]:
    try:
        family = choose_family(fitted_on.rows, dataset="draw", resamples=1, seed=seed).chosen
    except CannotChooseError as error:
        raise ValueError(str(error)) from error
    calibrator = get_family(family).fit(*_drawn(fitted_on))
    return family, _applied(calibrator, test)


def _applied(calibrator: Calibrator, test: Answers) -> Floats:
    """Correct what can be: an answer that lacks a signal stays as stated, as in the gateway."""
    whole = np.ones(len(test.rows), dtype=np.bool_)
    for name in calibrator.inputs():
        whole &= ~np.isnan(test.signals.get(name, np.full(len(test.rows), np.nan)))
    corrected = test.confidence.copy()
    signals = {name: values[whole] for name, values in test.signals.items()}
    corrected[whole] = calibrator.apply(test.confidence[whole], signals)
    return corrected


def _compared(
    before: Floats, after: Floats, correct: npt.NDArray[np.bool_], resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Measure both on the same resampled answers, so that what they share does not widen the change's interval."""
    random, n = np.random.default_rng(seed), len(correct)
    drawn: dict[str, list[tuple[float, float]]] = {name: [] for name in MEASURES}
    for _ in range(resamples):
        rows = random.integers(n, size=n)
        tallies = [Tally.of(values[rows], correct[rows]) for values in (before, after)]
        for name, measure in MEASURES.items():
            drawn[name].append((float(measure(tallies[0])[0]), float(measure(tallies[1])[0])))
    found = {}
    whole = [Tally.of(values, correct) for values in (before, after)]
    for name, measure in MEASURES.items():
        first, second = (float(measure(tally)[0]) for tally in whole)
        pairs = np.array(drawn[name])
        found[name] = {
            "before": _interval(first, pairs[:, 0]),
            "after": _interval(second, pairs[:, 1]),
            "change": _interval(second - first, pairs[:, 1] - pairs[:, 0]),
            "ratio": _interval(second / first, pairs[:, 1] / np.maximum(pairs[:, 0], 1e-9)),
        }
    return found


def _spread(answers: Answers, test: Answers, places: list[npt.NDArray[np.int64]], seed: int) -> dict[str, float]:
    errors, within = [], []
    for each in places:
        _, corrected = _corrected(answers.at(each), test, seed)
        error = float(ece_of(Tally.of(corrected, test.correct))[0])
        band = consistency_band(corrected, ece_of, resamples=200, seed=seed)
        errors.append(error)
        within.append(error <= band.high)
    return {
        "draws": len(places),
        "ece_mean": float(np.mean(errors)),
        "ece_largest": float(np.max(errors)),
        "within_band": float(np.mean(within)),
    }


def _interval(value: float, resampled: Floats) -> dict[str, float]:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {"value": value, "low": float(low), "high": float(high)}
