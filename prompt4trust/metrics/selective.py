"""Ranking of answers by confidence, and selective prediction: answering only where confidence is high.

Rows of equal confidence cannot be told apart: a threshold takes all of them or none, and where a metric needs an order
among them it is the average over all orders. Metrics come as functions of rows on top of functions of counts.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.calibration import sum_of_first
from prompt4trust.metrics.tally import FloatArray, Tally

CONFIDENT = 0.9
"""Least confidence of a confident error."""
_ROUNDING = 1e-9


def auroc(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Probability that a right answer was stated with more confidence than a wrong one, a tie counting one half.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].

    Returns:
        A number in [0, 1]; NaN where all answers are right or all are wrong, since there is no pair to compare.

    Raises:
        ValueError: If the rows are not as described.

    Source: Hanley and McNeil, Radiology 143, 1982 (the Wilcoxon statistic).

    Example:
        >>> round(auroc([0.9, 0.8, 0.7, 0.6], [True, True, False, True]), 4)
        0.6667
    """
    return float(auroc_of(Tally.of(confidence, correct))[0])


def area_under_risk_coverage(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Share of wrong answers among the k most confident ones, averaged over k = 1 ... n (AURC).

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].

    Returns:
        A number in [0, 1]; less is better.

    Raises:
        ValueError: If the rows are not as described.

    Source: Geifman, Uziel and El-Yaniv, ICLR 2019.

    Example:
        >>> round(area_under_risk_coverage([0.9, 0.8, 0.7, 0.6], [True, True, False, True]), 4)
        0.1458
    """
    return float(aurc_of(Tally.of(confidence, correct))[0])


def coverage_at_risk(confidence: npt.ArrayLike, correct: npt.ArrayLike, risk: float = 0.05) -> float:
    """Largest share of questions that some threshold answers with at most the given share of errors among them.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        risk: The selective error that is accepted, in [0, 1].

    Returns:
        A number in [0, 1]; 0 where no threshold keeps to the risk. It is chosen in hindsight and promises nothing for
        other questions.

    Raises:
        ValueError: If the rows or the risk are not as described.

    Source: Geifman and El-Yaniv, NeurIPS 2017 (the risk-coverage trade-off).

    Example:
        >>> coverage_at_risk([0.9, 0.8, 0.7, 0.6], [True, True, False, True], risk=0.05)
        0.5
    """
    return float(coverage_at_risk_of(Tally.of(confidence, correct), risk)[0])


def accuracy_at_coverage(confidence: npt.ArrayLike, correct: npt.ArrayLike, coverage: float = 0.8) -> float:
    """Share of right answers among the most confident ones.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        coverage: Share of the questions that is answered, in (0, 1]; the number of them is rounded up.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: If the rows or the coverage are not as described.

    Example:
        >>> accuracy_at_coverage([0.9, 0.8, 0.7, 0.6], [True, True, False, True], coverage=0.5)
        1.0
    """
    return float(accuracy_at_coverage_of(Tally.of(confidence, correct), coverage)[0])


def confident_error_share(confidence: npt.ArrayLike, correct: npt.ArrayLike, threshold: float = CONFIDENT) -> float:
    """Among the wrong answers, the share that was stated with at least a given confidence.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        threshold: Least confidence that counts, in [0, 1].

    Returns:
        A number in [0, 1]; NaN where no answer is wrong.

    Raises:
        ValueError: If the rows or the threshold are not as described.

    Example:
        >>> confident_error_share([0.95, 0.95, 0.6, 0.4], [True, False, False, True])
        0.5
    """
    return float(confident_error_share_of(Tally.of(confidence, correct), threshold)[0])


def confident_error_count(confidence: npt.ArrayLike, correct: npt.ArrayLike, threshold: float = CONFIDENT) -> int:
    """Count the wrong answers stated with at least a given confidence.

    Args and errors are those of `confident_error_share`.

    Example:
        >>> confident_error_count([0.95, 0.95, 0.6, 0.4], [True, False, False, True])
        1
    """
    return round(float(confident_error_count_of(Tally.of(confidence, correct), threshold)[0]))


def auroc_of(tally: Tally) -> FloatArray:
    """Compute `auroc` by sample; shape [samples]."""
    rights, wrongs = tally.right.sum(axis=1), tally.wrong.sum(axis=1)
    wrong_below = np.cumsum(tally.wrong, axis=1) - tally.wrong / 2
    pairs = rights * wrongs
    won = (tally.right * wrong_below).sum(axis=1)
    return np.asarray(np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0), dtype=np.float64)


def aurc_of(tally: Tally) -> FloatArray:
    """Compute `area_under_risk_coverage` by sample; shape [samples]."""
    total, wrong = tally.total[:, ::-1], tally.wrong[:, ::-1]
    taken = np.cumsum(total, axis=1).astype(np.int64)
    before = taken - total.astype(np.int64)
    errors_before = np.cumsum(wrong, axis=1) - wrong
    # Among m tied rows with e errors the risk at rank k is (E + (k - N) e / m) / k, with E errors in N rows before;
    # its sum over k = N + 1 ... N + m is (E - N e / m) (H(N + m) - H(N)) + e, with H the harmonic numbers.
    harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, tally.n + 1))))
    head = errors_before - before * wrong / np.maximum(total, 1)
    summed = head * (harmonic[taken] - harmonic[before]) + wrong
    return np.asarray(summed.sum(axis=1) / tally.n, dtype=np.float64)


def coverage_at_risk_of(tally: Tally, risk: float = 0.05) -> FloatArray:
    """Compute `coverage_at_risk` by sample; shape [samples]."""
    _check_share(risk, "risk")
    answered = np.cumsum(tally.total[:, ::-1], axis=1)
    errors = np.cumsum(tally.wrong[:, ::-1], axis=1)
    # Whole errors are compared: 29 errors in 100 keep to a risk of 0.29, whatever 0.29 * 100 is in binary.
    kept = np.where(errors <= risk * answered + _ROUNDING, answered, 0)
    return np.asarray(kept.max(axis=1) / tally.n, dtype=np.float64)


def accuracy_at_coverage_of(tally: Tally, coverage: float = 0.8) -> FloatArray:
    """Compute `accuracy_at_coverage` by sample; shape [samples]."""
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage must be in (0, 1], not {coverage}")
    ranks = max(1, math.ceil(coverage * tally.n - _ROUNDING))
    return sum_of_first([ranks], tally.total[:, ::-1], tally.right[:, ::-1])[:, 0] / ranks


def confident_error_share_of(tally: Tally, threshold: float = CONFIDENT) -> FloatArray:
    """Compute `confident_error_share` by sample; shape [samples]."""
    wrongs = tally.wrong.sum(axis=1)
    confident = confident_error_count_of(tally, threshold)
    return np.asarray(np.divide(confident, wrongs, out=np.full(len(wrongs), np.nan), where=wrongs > 0))


def confident_error_count_of(tally: Tally, threshold: float = CONFIDENT) -> FloatArray:
    """Compute `confident_error_count` by sample; shape [samples]."""
    _check_share(threshold, "threshold")
    return np.asarray(tally.wrong[:, tally.levels >= threshold].sum(axis=1), dtype=np.float64)


def _check_share(value: float, name: str) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], not {value}")
