"""Effect of the chosen correction on each estimator's confidence: fitted on one split, measured on another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.calibration.study import Answers
from prompt4trust.calibration import MissingSignalError, get_family
from prompt4trust.evaluation import CannotChooseError, choose_family
from prompt4trust.metrics.bootstrap import percentile_interval
from prompt4trust.metrics.calibration import ece_of, nll_of, smooth_ece_of
from prompt4trust.metrics.consistency import consistency_band
from prompt4trust.metrics.intervals import metric_difference, sampled_metrics
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
    families, corrections = zip(*(_corrected(answers.at(each), test, seed) for each in places), strict=True)
    corrected = corrections[0]
    found: dict[str, Any] = {
        "fitted_on": rows,
        "measured_on": len(test.rows),
        "family": families[0],
        **_compared(test.confidence, corrected, test.correct, resamples, seed),
        "band": consistency_band(corrected, ece_of, resamples=resamples, seed=seed).as_json(),
        "spread": _spread(list(corrections), test.correct, seed),
    }
    try:
        fitted = get_family(TWO_SIGNAL).fit(*_drawn(answers.at(places[0])))
        both = test.corrected(fitted)
    except (MissingSignalError, ValueError):
        return found
    compared = _compared(test.confidence, both, test.correct, resamples, seed)
    return {**found, "two_signal": {"second": fitted.inputs()[0], **{key: compared[key] for key in ("ece", "auroc")}}}


def verdict(found: Mapping[str, Any]) -> str:
    """Judge a correction: improved or left alone, beyond noise."""
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
    return family, test.corrected(calibrator)


def _compared(
    before: Floats, after: Floats, correct: npt.NDArray[np.bool_], resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Measure both on the same resampled answers, so that what they share does not widen the change's interval."""
    first, second = (
        sampled_metrics(values, correct, MEASURES, resamples=resamples, seed=seed) for values in (before, after)
    )
    found = {}
    for name in MEASURES:
        old, new = first[name], second[name]
        # The ratio of calibration errors is bootstrapped, which is near to right only where both stand out from noise.
        ratios = new.resampled / np.maximum(old.resampled, 1e-9)
        intervals = {
            "before": old.interval,
            "after": new.interval,
            "change": metric_difference(new, old),
            "ratio": percentile_interval(new.interval.value / old.interval.value, ratios),
        }
        found[name] = {what: interval.as_json() for what, interval in intervals.items()}
    return found


def _spread(corrections: list[Floats], correct: npt.NDArray[np.bool_], seed: int) -> dict[str, float]:
    errors, within = [], []
    for corrected in corrections:
        error = float(ece_of(Tally.of(corrected, correct))[0])
        band = consistency_band(corrected, ece_of, resamples=200, seed=seed)
        errors.append(error)
        within.append(error <= band.high)
    return {
        "draws": len(corrections),
        "ece_mean": float(np.mean(errors)),
        "ece_largest": float(np.max(errors)),
        "within_band": float(np.mean(within)),
    }
