"""Metrics of perfectly calibrated answers: the yardstick for errors that noise alone makes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.bootstrap import Interval, Metric, percentile_interval
from prompt4trust.metrics.tally import FloatArray, Tally


def consistency_band(confidence: npt.ArrayLike, metric: Metric, *, resamples: int = 1000, seed: int = 0) -> Interval:
    """Compute a metric for perfectly calibrated answers of these very confidences (consistency resampling).

    A calibration error is never 0 on a finite sample: each bin's share of right answers strays from its confidence by
    chance. Here the outcomes are drawn from the confidences themselves, so that an error within the band is one that a
    perfectly calibrated model would show as well.

    Args:
        confidence: Confidences in [0, 1]; shape [n], n >= 1.
        metric: The metric, such as `prompt4trust.metrics.calibration.ece_of`.
        resamples: Number of sets of outcomes to draw, at least 1.
        seed: Seed of the draw.

    Returns:
        The mean over the draws, with their 2.5th and 97.5th percentile.

    Raises:
        ValueError: If a confidence is not a number in [0, 1], there is none, or resamples < 1.

    Source: Broecker and Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22, 2007.

    Example:
        >>> from prompt4trust.metrics.calibration import ece_of
        >>> band = consistency_band([0.5] * 100, ece_of)
        >>> round(band.value, 2), round(band.low, 2), round(band.high, 2)
        (0.04, 0.0, 0.12)
    """
    values = metric(calibrated_outcomes(confidence, resamples, seed))
    return percentile_interval(float(values.mean()), values)


def reliability_band(
    confidence: npt.ArrayLike, *, bins: int = 10, resamples: int = 1000, seed: int = 0
) -> list[tuple[float, float] | None]:
    """Compute where the bars of a reliability diagram would end by chance if the confidences were right.

    Args:
        confidence: Confidences in [0, 1]; shape [n], n >= 1.
        bins: Number of bins of equal width, as in `prompt4trust.calibration.reliability`.
        resamples: Number of sets of outcomes to draw, at least 1.
        seed: Seed of the draw.

    Returns:
        For each bin the 2.5th and 97.5th percentile of its share of right answers; None where it holds no answer. Each
        bin by itself: of ten bars of a calibrated model one ends outside now and then.

    Raises:
        ValueError: As `consistency_band`, or if bins < 1.

    Source: As `consistency_band`.

    Example:
        >>> [[round(end, 1) for end in bar] if bar else None for bar in reliability_band([0.5] * 100, bins=2)]
        [[0.4, 0.6], None]
    """
    if bins < 1:
        raise ValueError(f"there must be at least one bin, not {bins}")
    drawn = calibrated_outcomes(confidence, resamples, seed)
    place = np.searchsorted(np.arange(1, bins) / bins, drawn.levels, side="left")
    band: list[tuple[float, float] | None] = []
    for index in range(bins):
        inside = place == index
        if not inside.any():
            band.append(None)
            continue
        shares = drawn.right[:, inside].sum(axis=1) / drawn.total[0, inside].sum()
        low, high = np.percentile(shares, [2.5, 97.5])
        band.append((float(low), float(high)))
    return band


def calibrated_outcomes(confidence: npt.ArrayLike, resamples: int, seed: int) -> Tally:
    """Draw the outcomes of all answers from their confidences, again and again.

    Args, errors: As `consistency_band`.

    Returns:
        A tally of `resamples` samples.
    """
    if resamples < 1:
        raise ValueError(f"there must be at least one resample, not {resamples}")
    observed = Tally.of(confidence, np.zeros(np.shape(confidence), dtype=np.bool_))
    total = observed.total[0]
    right = np.random.default_rng(seed).binomial(total.astype(np.int64), observed.levels, (resamples, len(total)))
    counts: FloatArray = right.astype(np.float64)
    return Tally(observed.levels, counts, total - counts)
