"""A method's row of the table: how well its confidence tells right from wrong, and what it lets one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import compress

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.errors import MissingSignalError
from prompt4trust.evaluation import Prediction, choose_family, cross_fit, fit_calibrator
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.evaluation.selection_trials import checked_answers
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.calibration import accuracy_of
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics
from prompt4trust.metrics.tally import Tally
from prompt4trust.selection import GuardArtifact, fit_guard

RISKS = (0.05, 0.1)
DELTA = 0.05
_DATASET = "phantoms"
_CHOICE_RESAMPLES = 2
"""A family is chosen by a value, not by its interval."""


def auprc_of(tally: Tally) -> npt.NDArray[np.float64]:
    """Compute the area under precision and recall of errors, the least confident answers first; shape [samples].

    The sum over thresholds of the precision there times the recall that the threshold adds (average precision); equally
    confident answers are found together. NaN where no answer is wrong.

    Example:
        >>> float(auprc_of(Tally.of([0.9, 0.8, 0.7, 0.6], [True, True, False, True]))[0])
        0.5
    """
    errors, taken = np.cumsum(tally.wrong, axis=1), np.cumsum(tally.total, axis=1)
    precision = np.divide(errors, taken, out=np.zeros_like(errors), where=taken > 0)
    wrong = tally.wrong.sum(axis=1)
    summed = (tally.wrong * precision).sum(axis=1)
    return np.asarray(np.divide(summed, wrong, out=np.full(len(wrong), np.nan), where=wrong > 0))


ORDER = {"auroc": METRICS["auroc"], "auprc_errors": auprc_of, "aurc": METRICS["aurc"]}
"""Metrics of the order of the answers by confidence."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A method's figures on the test questions, with what differences are computed of.

    Attributes:
        method: Its name.
        family: The calibrator's family.
        n: Test questions.
        calls: Calls of a model an answer, the policy's included.
        seconds: Seconds spent waiting for them, one after the other.
        metrics: Name -> value, interval and resamples: accuracy, those of `ORDER` and "nll" (calibrated), "ece_raw",
            "ece", "answered_at_5", "wrong_at_5" and the like at other risks; or those of `crossed`.
    """

    method: str
    family: str
    n: int
    calls: float
    seconds: float
    metrics: Mapping[str, Sampled]

    def as_json(self) -> dict[str, object]:
        """Render the figures."""
        return {
            "method": self.method,
            "family": self.family,
            "n": self.n,
            "calls": self.calls,
            "seconds": self.seconds,
            **{name: each.interval.as_json() for name, each in self.metrics.items()},
        }

    def less(self, other: Row) -> dict[str, dict[str, float | None]]:
        """Subtract another method's metrics, question by question; both answered the same questions."""
        return {name: metric_difference(each, other.metrics[name]).as_json() for name, each in self.metrics.items()}


def row(
    method: str,
    calibration: Sequence[Prediction],
    guard: Sequence[Prediction],
    test: Sequence[Prediction],
    *,
    family: str | None = None,
    risks: Sequence[float] = RISKS,
    resamples: int = 1000,
    seed: int = 0,
) -> Row:
    """Fit a calibrator and thresholds of deferral, and measure both on the test questions.

    Args:
        method: The method's name.
        calibration: Its answers that the calibrator is chosen and fitted on.
        guard: Others, that thresholds are proved on.
        test: Others, that are reported; in the same order for every method.
        family: The calibrator's family; None to choose it.
        risks: Accepted shares of wrong answers among those given, whole percents.
        resamples: Of the bootstrap, by picture.
        seed: Of the folds and of the bootstrap.
    """
    calibrator = fitted(method, calibration, seed, family)
    thresholds = fit_guard(
        checked_answers(guard, calibrator),
        name="guard",
        key=calibrator.key,
        dataset=_DATASET,
        clock=_now,
        calibrator=calibrator,
        unit="question",  # as where the stored figures were made
        seed=seed,
    )
    stated = PredictionArrays.of(test)
    corrected = stated.calibrated(calibrator)
    measure = partial(sampled_metrics, clusters=stated.clusters, resamples=resamples, seed=seed)
    wanted = {"accuracy": accuracy_of, **ORDER, "nll": METRICS["nll"], "ece": METRICS["ece"]}
    found = measure(corrected.confidence, corrected.correct, wanted)
    found["ece_raw"] = measure(stated.confidence, stated.correct, {"ece": METRICS["ece"]})["ece"]
    for risk in risks:
        given, wrong = _given(thresholds, test, calibrator, risk)
        nothing, points = np.zeros(len(given)), round(100 * risk)
        found[f"answered_at_{points}"] = measure(nothing, given, {"share": accuracy_of})["share"]
        found[f"wrong_at_{points}"] = measure(nothing, wrong, {"share": accuracy_of})["share"]
    return Row(method, calibrator.family, len(test), *_spent(test), found)


def crossed(method: str, rows: Sequence[Prediction], *, resamples: int = 1000, seed: int = 0) -> Row:
    """Measure a method on few questions, none of which can be spared to fit calibrators on: cross-fitted.

    The calibrator is `several-signal`, or where the answers carry no signal that it takes `platt`, whose order is that
    of the confidences as they come. No promise is proved: how much could be answered at a risk is told by the best
    threshold in hindsight, "in_hindsight_at_5" and "in_hindsight_at_10".

    Args:
        method: The method's name.
        rows: Its answers, in the same order for every method; one without a verdict is wrong, with confidence 0.
        resamples: Of the bootstrap, by picture.
        seed: Of the folds and of the bootstrap.
    """
    stated = PredictionArrays.of(rows)
    usable, corrected = stated.valid, np.zeros(len(rows))
    clusters = list(compress(stated.clusters, usable))
    fit = partial(cross_fit, clusters=clusters, seed=seed)
    given = stated.confidence[usable], stated.correct[usable]
    try:
        signals = {name: values[usable] for name, values in stated.signals.items()}
        family, corrected[usable] = "several-signal", fit("several-signal", *given, signals=signals)
    except MissingSignalError:
        family, corrected[usable] = "platt", fit("platt", *given)
    ordered = corrected if family == "several-signal" else stated.confidence
    measure = partial(sampled_metrics, clusters=stated.clusters, resamples=resamples, seed=seed)
    hindsight = {f"in_hindsight_at_{points}": METRICS[f"coverage_at_{points}pct_error"] for points in (5, 10)}
    found = measure(ordered, stated.correct, {"accuracy": accuracy_of, **ORDER, **hindsight})
    found["ece"] = measure(corrected, stated.correct, {"ece": METRICS["ece"]})["ece"]
    raw = measure(stated.confidence, stated.correct, {"auroc": METRICS["auroc"], "ece": METRICS["ece"]})
    found |= {f"{name}_raw": each for name, each in raw.items()}
    return Row(method, family, len(rows), *_spent(rows), found)


def calibrated(
    calibration: Sequence[Prediction], rows: Sequence[Prediction], *, family: str | None = None, seed: int = 0
) -> list[Prediction]:
    """Give answers the confidence that a row's calibrator, fitted on `calibration`, makes of them."""
    calibrator = fitted(rows[0].estimator, calibration, seed, family)
    found = checked_answers(rows, calibrator)
    return [each.model_copy(update={"confidence": one.confidence}) for each, one in zip(rows, found, strict=True)]


def _spent(rows: Sequence[Prediction]) -> tuple[float, float]:
    """Average the calls of an answer, and the seconds spent waiting for them."""
    return float(np.mean([each.cost.calls for each in rows])), float(np.mean([each.cost.seconds for each in rows]))


def fitted(
    method: str, calibration: Sequence[Prediction], seed: int = 0, family: str | None = None
) -> CalibratorArtifact:
    """Fit a method's calibrator on its answers, of a family or of the one that folds choose."""
    if family is None:
        family = choose_family(calibration, dataset=_DATASET, resamples=_CHOICE_RESAMPLES, seed=seed).chosen
    return fit_calibrator(
        calibration,
        name="calibrator",
        family=family,
        key=CalibrationKey(downstream="measured", policy=None, estimator=method, answer_template="measured@1"),
        dataset=_DATASET,
        clock=_now,
        resamples=_CHOICE_RESAMPLES,
        seed=seed,
    )


def _given(
    guard: GuardArtifact, test: Sequence[Prediction], calibrator: CalibratorArtifact, risk: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Mark the answers that are given at an accepted risk, and those of them that are wrong."""
    limit = guard.risk_rule(DELTA).at(risk)
    answers = checked_answers(test, calibrator)
    given = np.array(
        [
            limit is not None and each.confidence is not None and guard.score(each.confidence, [each.id]) >= limit.score
            for each in answers
        ],
        dtype=np.bool_,
    )
    return given, given & ~np.array([each.correct for each in answers], dtype=np.bool_)


def _now() -> datetime:
    return datetime.now(UTC)
