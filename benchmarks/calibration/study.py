"""Fit on few answers, measure on many others, again and again: what a family makes of how many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration import FAMILIES, Calibrator, MissingSignalError, get_family
from prompt4trust.evaluation import CannotChooseError, Prediction, choose_family
from prompt4trust.evaluation.prediction_arrays import carrying, correct_where, fitting_rows, signal_columns
from prompt4trust.metrics import brier_score, expected_calibration_error, negative_log_likelihood
from prompt4trust.metrics.calibration import ece_of
from prompt4trust.metrics.consistency import consistency_band

CHOSEN = "chosen"
"""Stands beside the families: in each draw the one that `trustvqa calibrate` chooses by that draw's own folds."""
IDEAL = "ideal_ece"
_MEASURES = {"ece": expected_calibration_error, "nll": negative_log_likelihood, "brier": brier_score}
_LEAST_MEASURED = 200

Figures = dict[str, dict[int, dict[str, Any]]]
"""Family -> answers fitted on -> figures."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Which rows are fitted on, and which measured on."""

    fitted: npt.NDArray[np.int64]
    measured: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One estimator's answers that count, as arrays of one length."""

    rows: Sequence[Prediction]
    confidence: npt.NDArray[np.float64]
    correct: npt.NDArray[np.bool_]
    signals: Mapping[str, npt.NDArray[np.float64]]

    @classmethod
    def of(cls, predictions: Sequence[Prediction], estimator: str) -> Answers:
        """Take the answers of an estimator that have a verdict and a known truth."""
        rows = fitting_rows([row for row in predictions if row.estimator == estimator])
        return cls(
            rows,
            np.array([row.confidence for row in rows], dtype=np.float64),
            np.array([row.correct for row in rows], dtype=np.bool_),
            signal_columns(rows),
        )

    def at(self, places: npt.NDArray[np.int64]) -> Answers:
        """Take some of them."""
        signals = {name: values[places] for name, values in self.signals.items()}
        return Answers([self.rows[place] for place in places], self.confidence[places], self.correct[places], signals)

    def corrected(self, calibrator: Calibrator) -> npt.NDArray[np.float64]:
        """Correct what can be: an answer that lacks a signal stays as stated, as in the gateway."""
        usable = carrying(calibrator, self.signals, len(self.rows))
        return correct_where(calibrator, self.confidence, self.signals, usable)


def draws(total: int, sizes: Sequence[int], n: int, times: int, seed: int) -> Iterator[Draw]:
    """Draw rows without replacement, and the rows to measure on from what is left.

    Args:
        total: Rows that there are.
        sizes: All the numbers of rows that are fitted on: however many are, equally many are measured on, since the
            ECE of few answers is larger by chance alone.
        n: Rows to fit on; one of `sizes`.
        times: How often.
        seed: Of all draws; the same for every family.

    Raises:
        ValueError: If fewer than 200 rows would be left to measure on.
    """
    left = total - max(sizes)
    if left < _LEAST_MEASURED:
        raise ValueError(
            f"{total} answers leave {max(left, 0)} to measure on after {max(sizes)} to fit on; "
            f"at least {_LEAST_MEASURED} are needed: give more answers, or smaller --sizes"
        )
    random = np.random.default_rng([seed, n])
    for _ in range(times):
        order = random.permutation(total)
        yield Draw(order[:n], order[n : n + left])


def study(
    answers: Answers,
    sizes: Sequence[int],
    *,
    others: Answers | None = None,
    times: int = 50,
    seed: int = 0,
    families: Sequence[str] = (*FAMILIES, CHOSEN),
) -> Figures:
    """Measure every family at every size.

    Args:
        answers: What is drawn from.
        sizes: Numbers of answers to fit on.
        others: Measure on all of these instead of on what a draw leaves.
        times: Draws.
        seed: Seed of the draws.
        families: Which, `CHOSEN` among them or not.

    Returns:
        For each measure its mean, standard deviation, lowest and highest value over the draws; how many draws could not
        be fitted; and the mean ECE that chance alone would give the corrected confidences.

    Raises:
        ValueError: If there are too few answers.
    """
    found: Figures = {}
    for family in families:
        by_size = {}
        for n in sizes:
            try:
                by_size[n] = _cell(answers, others, family, sizes, n, times, seed)
            except MissingSignalError:
                break  # these answers never carry it
        if by_size:
            found[family] = by_size
    return found


def _cell(
    answers: Answers, others: Answers | None, family: str, sizes: Sequence[int], n: int, times: int, seed: int
) -> dict[str, Any]:
    values: dict[str, list[float]] = {name: [] for name in (*_MEASURES, IDEAL)}
    refused, chosen = 0, dict.fromkeys(FAMILIES, 0)
    for draw in _drawn(answers, others, sizes, n, times, seed):
        fitted_on = answers.at(draw.fitted)
        measured = answers.at(draw.measured) if others is None else others
        try:
            taken = _choose(fitted_on, seed) if family == CHOSEN else family
            fitted = get_family(taken).fit(fitted_on.confidence, fitted_on.correct, fitted_on.signals)
        except MissingSignalError:
            raise
        except ValueError:  # too few, or one kind only
            refused += 1
            continue
        chosen[taken] += 1
        corrected = measured.corrected(fitted)
        for name, measure in _MEASURES.items():
            values[name].append(measure(corrected, measured.correct))
        values[IDEAL].append(consistency_band(corrected, ece_of, resamples=20, seed=seed).value)
    picked = {"chosen": {name: count for name, count in chosen.items() if count}} if family == CHOSEN else {}
    return {**{name: _spread(each) for name, each in values.items()}, "refused": refused, **picked}


def _drawn(
    answers: Answers, others: Answers | None, sizes: Sequence[int], n: int, times: int, seed: int
) -> Iterator[Draw]:
    total = len(answers.rows)
    if others is None:
        yield from draws(total, sizes, n, times, seed)
        return
    if total < max(sizes):
        raise ValueError(f"{total} answers are too few to draw {max(sizes)} from; give more, or smaller --sizes")
    random, none = np.random.default_rng([seed, n]), np.empty(0, dtype=np.int64)
    for _ in range(times):
        yield Draw(random.permutation(total)[:n], none)


def _choose(answers: Answers, seed: int) -> str:
    try:
        return choose_family(answers.rows, dataset="draw", resamples=1, seed=seed).chosen
    except CannotChooseError as error:
        raise ValueError(str(error)) from error


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return dict.fromkeys(("mean", "sd", "lowest", "highest"))
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "lowest": float(np.min(values)),
        "highest": float(np.max(values)),
    }
