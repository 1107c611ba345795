"""Calibration errors and proper scores of stated confidences.

Each metric is a function of rows (`expected_calibration_error`) on top of one of counts (`ece_of`), which the bootstrap
calls with many resamples at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from prompt4trust.metrics.tally import FloatArray, Tally

SMALLEST_PROBABILITY = 1e-10
"""Smaller probabilities are raised to this before their logarithm is taken."""


def accuracy(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Share of right answers.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1. Checked, and not used.
        correct: Whether each answer is right; shape [n].

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: If the rows are not as described.

    Example:
        >>> accuracy([0.75, 0.75, 0.5, 0.5], [True, True, True, False])
        0.75
    """
    return _single(accuracy_of(Tally.of(confidence, correct)))


def mean_confidence(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Average of the stated confidences.

    Args, returns and errors are those of `accuracy`.

    Example:
        >>> mean_confidence([0.75, 0.75, 0.5, 0.5], [True, True, True, False])
        0.625
    """
    return _single(mean_confidence_of(Tally.of(confidence, correct)))


def expected_calibration_error(confidence: npt.ArrayLike, correct: npt.ArrayLike, bins: int = 10) -> float:
    """Gap between accuracy and mean confidence, averaged over bins of equal width (ECE).

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        bins: Their number; bin i holds confidences in (i / bins, (i + 1) / bins], the first one 0 as well.

    Returns:
        The error in [0, 1].

    Raises:
        ValueError: If the rows are not as described or bins < 1.

    Source: Naeini et al., AAAI 2015; Guo et al., ICML 2017, equation 3.

    Example:
        >>> expected_calibration_error([0.75, 0.75, 0.5, 0.5], [True, True, True, False])
        0.125
    """
    return _single(ece_of(Tally.of(confidence, correct), bins))


def adaptive_calibration_error(confidence: npt.ArrayLike, correct: npt.ArrayLike, bins: int = 10) -> float:
    """Gap between accuracy and mean confidence, averaged over bins of equal mass (ACE).

    The rows in order of confidence are cut into bins whose sizes differ by at most one, larger bins first; each bin
    weighs as many rows as it has. Rows of equal confidence have no order of their own: where a cut falls among them,
    each side gets its share of their right answers, so that the result does not depend on the order of the rows.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        bins: Their number; with fewer rows than bins every row is a bin.

    Returns:
        The error in [0, 1].

    Raises:
        ValueError: If the rows are not as described or bins < 1.

    Source: Nixon et al., "Measuring Calibration in Deep Learning", 2019, for the one confidence of an answer.

    Example:
        >>> adaptive_calibration_error([1.0, 0.75, 0.5, 0.25], [True, True, False, False], bins=2)
        0.25
    """
    return _single(ace_of(Tally.of(confidence, correct), bins))


def smooth_calibration_error(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Calibration error without bins (smooth ECE).

    The residuals (right - confidence) are smoothed over [0, 1] by a Gaussian that is reflected at both ends; the error
    at width s is the integral of what remains, unsigned. It falls as s grows; the smooth ECE is where it equals s.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].

    Returns:
        The error in [0, 1]; resolved to about 0.002, below which widths are finer than the grid of 1 024 points.

    Raises:
        ValueError: If the rows are not as described.

    Source: Blasiok and Nakkiran, "Smooth ECE", ICLR 2024 (arXiv 2309.12236), sections 3 and 4.

    Example:
        >>> round(smooth_calibration_error([0.75, 0.75, 0.5, 0.5], [True, True, True, False]), 6)
        0.125
    """
    return _single(smooth_ece_of(Tally.of(confidence, correct)))


def brier_score(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Mean squared difference between confidence and outcome.

    Args, returns and errors are those of `accuracy`. Source: Brier, Monthly Weather Review 78, 1950.

    Example:
        >>> brier_score([0.75, 0.75, 0.5, 0.5], [True, True, True, False])
        0.15625
    """
    return _single(brier_of(Tally.of(confidence, correct)))


def negative_log_likelihood(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Mean of -ln of the probability that was given to what came true, raised to 1e-10 where it is less.

    Args and errors are those of `accuracy`; returns nats in [0, 23.03].

    Example:
        >>> round(negative_log_likelihood([0.75, 0.75, 0.5, 0.5], [True, True, True, False]), 4)
        0.4904
    """
    return _single(nll_of(Tally.of(confidence, correct)))


def accuracy_of(tally: Tally) -> FloatArray:
    """Compute `accuracy` by sample; shape [samples]."""
    return _sum(tally.right) / tally.n


def mean_confidence_of(tally: Tally) -> FloatArray:
    """Compute `mean_confidence` by sample; shape [samples]."""
    return np.asarray(tally.total @ tally.levels / tally.n, dtype=np.float64)


def ece_of(tally: Tally, bins: int = 10) -> FloatArray:
    """Compute `expected_calibration_error` by sample; shape [samples]."""
    return _sum(np.abs(np.diff(_running(tally.residual)[:, _bin_starts(tally, bins)], axis=1))) / tally.n


def ace_of(tally: Tally, bins: int = 10) -> FloatArray:
    """Compute `adaptive_calibration_error` by sample; shape [samples]."""
    return _sum(np.abs(np.diff(sum_of_first(ace_cuts(tally, bins), tally.total, tally.residual), axis=1))) / tally.n


def ece_cuts(tally: Tally, bins: int = 10) -> list[int]:
    """Count the answers of a single sample before each bin of equal width, and all of them; bins + 1 numbers."""
    running = _running(tally.total)[0]
    return [round(float(running[start])) for start in _bin_starts(tally, bins)]


def ace_cuts(tally: Tally, bins: int = 10) -> list[int]:
    """Count the answers of any sample before each bin of equal mass, and all of them; bins + 1 numbers."""
    _check_bins(bins)
    smallest, larger = divmod(tally.n, bins)
    return [smallest * i + min(i, larger) for i in range(bins + 1)]


_GRID = 1024
_EXACT = 2.0**-35  # < 1e-10
_UNFELT = 11.0  # exp(-11^2 / 2) < 1e-26


def smooth_ece_of(tally: Tally) -> FloatArray:
    """Compute `smooth_calibration_error` by sample; shape [samples]."""
    from scipy.optimize.elementwise import find_root  # takes time to import, and no service needs it to answer

    # Smoothing by a reflected Gaussian is heat flowing on [0, 1] with insulated ends: in the cosine basis it multiplies
    # coefficient k by exp(-(pi k s)^2 / 2). So the data are read once, and every width costs one cosine transform.
    wave = np.arange(_GRID) * np.pi
    coefficients = tally.residual @ np.cos(tally.levels[:, None] * wave) / tally.n
    samples = len(coefficients)

    def excess(width: FloatArray, sample: FloatArray) -> FloatArray:
        felt = int(_UNFELT / np.pi / max(width.min(initial=1.0), 1 / _GRID)) + 2
        damped = coefficients[sample.astype(int), :felt] * np.exp(-0.5 * np.square(width[:, None] * wave[:felt]))
        return np.asarray(np.abs(dct(damped, type=3, n=_GRID, axis=1)).mean(axis=1) - width)

    # What a width leaves, less the width, falls from an error that is none below 0 and at most 1: it crosses 0 once.
    widths = (np.zeros(samples), np.full(samples, 2.0))
    close = {"xatol": _EXACT, "xrtol": 0, "fatol": _EXACT, "frtol": 0}
    return np.asarray(find_root(excess, widths, args=(np.arange(samples),), tolerances=close).x)


def brier_of(tally: Tally) -> FloatArray:
    """Compute `brier_score` by sample; shape [samples]."""
    return (tally.right @ np.square(1 - tally.levels) + tally.wrong @ np.square(tally.levels)) / tally.n


def nll_of(tally: Tally) -> FloatArray:
    """Compute `negative_log_likelihood` by sample; shape [samples]."""
    log_right = np.log(np.maximum(tally.levels, SMALLEST_PROBABILITY))
    log_wrong = np.log(np.maximum(1 - tally.levels, SMALLEST_PROBABILITY))
    return -(tally.right @ log_right + tally.wrong @ log_wrong) / tally.n


def sum_of_first(ranks: Sequence[int], total: FloatArray, amount: FloatArray) -> FloatArray:
    """Sum an amount over the first so many rows, tied rows sharing theirs equally.

    Args:
        ranks: Numbers of rows to take, each from 0 to the number of rows of a sample.
        total: Rows by sample and level, the levels in the order in which rows are taken; shape [samples, levels].
        amount: The amount, by sample and level; same shape.

    Returns:
        The sums; shape [samples, ranks].
    """
    rows, sums = _running(total), _running(amount)
    sample = np.arange(len(total))
    taken = []
    for rank in ranks:
        # The level in which the last row taken lies; the first one where none is.
        level = np.maximum((rows < rank).sum(axis=1) - 1, 0)
        share = (rank - rows[sample, level]) / np.maximum(total[sample, level], 1)
        taken.append(sums[sample, level] + share * amount[sample, level])
    return np.stack(taken, axis=1)


def _bin_starts(tally: Tally, bins: int) -> npt.NDArray[np.int64]:
    """Find where in the ascending levels each bin of equal width begins, and the last one ends; shape [bins + 1]."""
    _check_bins(bins)
    inner = np.searchsorted(tally.levels, np.arange(1, bins) / bins, side="right")
    return np.concatenate(([0], inner, [len(tally.levels)]))


def _running(amount: FloatArray) -> FloatArray:
    """Sum the levels before each one, and all of them at the end; shape [samples, levels + 1]."""
    return np.concatenate((np.zeros((len(amount), 1)), np.cumsum(amount, axis=1)), axis=1)


def _sum(amount: FloatArray) -> FloatArray:
    return np.asarray(amount.sum(axis=1), dtype=np.float64)


def _check_bins(bins: int) -> None:
    if bins < 1:
        raise ValueError(f"there must be at least one bin, not {bins}")


def _single(values: FloatArray) -> float:
    return float(values[0])
