"""What a metric would be if the confidences were right: the yardstick for errors that noise alone makes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.bootstrap import Interval, Metric
from prompt4trust.metrics.tally import Tally


def consistency_band(confidence: npt.ArrayLike, metric: Metric, *, resamples: int = 1000, seed: int = 0) -> Interval:
    """Compute a metric for perfectly calibrated answers of these very confidences (consistency resampling).

    A calibration error is never 0 on a finite sample: each bin's share of right answers strays from its confidence by
    chance. Here the outcomes are drawn from the confidences themselves, so that an error within the band is one that a
    perfectly calibrated model would show as well.

    Args:
        confidence: Confidences in [0, 1]; shape [n], n >= 1.
        metric: What to compute, such as `prompt4trust.metrics.calibration.ece_of`.
        resamples: How many sets of outcomes to draw, at least 1.
        seed: Seed of the draw.

    Returns:
        The mean over the draws, with their 2.5th and 97.5th percentile.

    Raises:
        ValueError: If a confidence is not a number in [0, 1], there is none, or resamples < 1.

    Source: Broecker and Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22, 2007.
    """
    if resamples < 1:
        raise ValueError(f"there must be at least one resample, not {resamples}")
    observed = Tally.of(confidence, np.zeros(np.shape(confidence), dtype=np.bool_))
    total = observed.total[0]
    right = np.random.default_rng(seed).binomial(total.astype(np.int64), observed.levels, (resamples, len(total)))
    values = metric(Tally(observed.levels, right.astype(np.float64), total - right))
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))
