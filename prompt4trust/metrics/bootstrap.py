"""Bootstrap: percentile intervals of metrics from resampled rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.clusters import cluster_codes, resampled_rows
from prompt4trust.metrics.tally import FloatArray, Tally, check_rows

Metric = Callable[[Tally], FloatArray]
"""A metric by sample: counts in, one value a sample out; NaN where it is undefined."""

_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric's value and its 95 % interval; each is NaN where it is undefined.

    Example:
        >>> Interval(0.5, 0.25, float("nan")).as_json()
        {'value': 0.5, 'low': 0.25, 'high': None}
    """

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Render as an object with null for what is undefined, since JSON has no NaN."""
        return {
            name: None if np.isnan(number) else number
            for name, number in (("value", self.value), ("low", self.low), ("high", self.high))
        }


def bootstrap_intervals(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    metrics: Mapping[str, Metric],
    *,
    clusters: npt.ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Compute metrics with percentile intervals from rows drawn with replacement.

    All metrics see the same resamples. A resample in which a metric is undefined (AUROC without a wrong answer) is left
    out of that metric's interval. Not for calibration errors: resampling adds noise to what is noise already, and their
    percentiles leave the truth out in most samples. `metric_intervals` gives every metric an interval that covers.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        metrics: Name -> metric.
        clusters: What each row belongs to, such as its picture or patient: whole clusters are drawn; shape [n]; None
            where every row stands alone.
        resamples: Number of resamples, at least 1.
        seed: Seed of the draw; the same seed and rows give the same intervals.

    Returns:
        Name -> value on the rows as they are, with the 2.5th and 97.5th percentile over the resamples.

    Raises:
        ValueError: If the rows are not as described or resamples < 1.

    Source: Efron, "Nonparametric standard errors and confidence intervals", 1981.

    Example:
        >>> from prompt4trust.metrics import METRICS
        >>> right = [True, True, True, False] * 2
        >>> bootstrap_intervals([0.8] * 8, right, {"accuracy": METRICS["accuracy"]}, resamples=200)
        {'accuracy': Interval(value=0.75, low=0.375, high=1.0)}
    """
    drawn = bootstrap_replicates(confidence, correct, metrics, clusters=clusters, resamples=resamples, seed=seed)
    return {name: percentile_interval(value, resampled) for name, (value, resampled) in drawn.items()}


def bootstrap_replicates(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    metrics: Mapping[str, Metric],
    *,
    clusters: npt.ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, FloatArray]]:
    """Compute metrics on the rows as they are, and on each of many resamples of them.

    Which rows a resample holds depends on their number, their clusters and the seed alone: of two estimators that
    answered the same n questions, listed in one order, the resamples hold the same questions.

    Args, errors: As `bootstrap_intervals`.

    Returns:
        Name -> value, and the resamples' values, shape [resamples], NaN where undefined.
    """
    if resamples < 1:
        raise ValueError(f"there must be at least one resample, not {resamples}")
    tally = Tally.of(confidence, correct)
    drawn = list(_resampled(confidence, correct, clusters, resamples, np.random.default_rng(seed)))
    return {
        name: (float(metric(tally)[0]), np.concatenate([metric(part) for part in drawn]))
        for name, metric in metrics.items()
    }


def _resampled(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    clusters: npt.ArrayLike | None,
    resamples: int,
    random: np.random.Generator,
) -> Iterator[Tally]:
    stated, right = check_rows(confidence, correct)
    codes = cluster_codes(clusters, len(stated))
    together = None if codes is None else resampled_rows(codes, resamples, random)
    levels, level = np.unique(stated, return_inverse=True)
    cell = 2 * level + right
    cells = 2 * len(levels)
    # In parts, so that memory does not grow with the number of resamples times the number of rows.
    at_once = max(1, _CELLS_AT_ONCE // len(stated))
    for first in range(0, resamples, at_once):
        part = min(at_once, resamples - first)
        taken = (
            random.integers(len(stated), size=(part, len(stated)))
            if together is None
            else np.stack(list(islice(together, part)))
        )
        rows = cell[taken]
        counts = np.bincount((rows + cells * np.arange(part)[:, None]).ravel(), minlength=part * cells)
        by_level = counts.reshape(part, len(levels), 2).astype(np.float64)
        yield Tally(levels, np.ascontiguousarray(by_level[..., 1]), np.ascontiguousarray(by_level[..., 0]))


def percentile_interval(value: float, resampled: FloatArray) -> Interval:
    """Put a value and its resamples' 2.5th and 97.5th percentile together; undefined resamples are left out.

    Args:
        value: On the rows as they are.
        resampled: On the resamples, NaN where undefined; shape [resamples].
    """
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or len(defined) == 0:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(value, float(low), float(high))
