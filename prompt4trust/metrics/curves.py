"""Curves of confidence against outcome, as numbers that a diagram can be drawn from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.calibration import sum_of_first
from prompt4trust.metrics.tally import Tally, check_rows


def risk_coverage_curve(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, points: int = 100
) -> list[tuple[float, float]]:
    """Share of wrong answers among the most confident ones, by the share of answers that these are.

    Rows of equal confidence have no order of their own: where a point falls among them, the expectation over all their
    orders is taken. The mean of the risks over all n coverages is `area_under_risk_coverage`.

    Args:
        confidence: Confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        points: Most points, evenly spaced in coverage; with fewer rows there is one a row.

    Returns:
        (coverage, risk) in ascending order of coverage; the last coverage is 1.

    Raises:
        ValueError: If the rows are not as described or points < 1.

    Source: El-Yaniv and Wiener, JMLR 11, 2010.

    Example:
        >>> risk_coverage_curve([0.9, 0.8, 0.7, 0.6], [True, True, True, False])
        [(0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 0.25)]
    """
    if points < 1:
        raise ValueError(f"there must be at least one point, not {points}")
    tally = Tally.of(confidence, correct)
    ranks = sorted({max(1, round(tally.n * step / points)) for step in range(1, points + 1)})
    wrong = sum_of_first(ranks, tally.total[:, ::-1], tally.wrong[:, ::-1])[0]
    return [(rank / tally.n, float(errors) / rank) for rank, errors in zip(ranks, wrong, strict=True)]


def confidence_counts(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = 20
) -> tuple[list[int], list[int]]:
    """Count right and wrong answers by confidence.

    Args:
        confidence: Confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        bins: Bins of equal width. Bin i holds confidences in [i / bins, (i + 1) / bins), the last one 1 as well:
            closed below, so that "0.9 or more" is a number of whole bins.

    Returns:
        Right answers by bin, and wrong ones.

    Raises:
        ValueError: If the rows are not as described or bins < 1.

    Example:
        >>> confidence_counts([0.9, 0.8, 0.3], [True, False, False], bins=2)
        ([0, 1], [1, 1])
    """
    if bins < 1:
        raise ValueError(f"there must be at least one bin, not {bins}")
    stated, right = check_rows(confidence, correct)
    place = np.searchsorted(np.arange(1, bins) / bins, stated, side="right")
    return (
        np.bincount(place[right], minlength=bins).tolist(),
        np.bincount(place[~right], minlength=bins).tolist(),
    )
