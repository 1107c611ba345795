"""Figures of the combinations: means over families and seeds, with intervals that are of the test pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prompt4trust.metrics import METRICS, Interval, accuracy, auroc
from prompt4trust.metrics.bootstrap import percentile_interval
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics

Numbers = NDArray[np.float64]
RESAMPLED: Mapping[str, Callable[[Numbers, NDArray[np.bool_]], float]] = {"accuracy": accuracy, "AUROC": auroc}
ERRORS = {"ECE": METRICS["ece"], "ACE": METRICS["ace"]}
"""Calibration errors: resampling adds noise to each of their bins, so that its percentiles hold no true value."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one tuned model on the test pictures of its family.

    Attributes:
        pictures: Numbers of the pictures.
        confidence: Probability of the likeliest class.
        right: Whether that is the picture's.
    """

    pictures: NDArray[np.int64]
    confidence: Numbers
    right: NDArray[np.bool_]


def resampled(answers: Sequence[Answers], pictures: int, resamples: int, seed: int = 0) -> dict[str, Numbers]:
    """Average accuracy and AUROC over models, on the test pictures and on resamples of them.

    The same pictures are drawn for all models, and for every call with the same seed: differences are paired.

    Args:
        answers: The models'; all of a row of the table.
        pictures: Number of test pictures.
        resamples: Bootstrap resamples.
        seed: Of the resamples.

    Returns:
        Metric -> [1 + resamples], the first being that of the pictures as they are.
    """
    random = np.random.default_rng(seed)
    weights = [np.ones(pictures, dtype=np.int64)]
    weights += [np.bincount(random.integers(pictures, size=pictures), minlength=pictures) for _ in range(resamples)]
    found = {name: np.empty(1 + resamples) for name in RESAMPLED}
    for place, weight in enumerate(weights):
        values: dict[str, list[float]] = {name: [] for name in RESAMPLED}
        for each in answers:
            rows = np.repeat(np.arange(len(each.pictures)), weight[each.pictures])
            for name, metric in RESAMPLED.items():
                values[name].append(metric(each.confidence[rows], each.right[rows]))
        for name, each_value in values.items():
            found[name][place] = np.mean(each_value)
    return found


def figure(values: Numbers) -> Interval:
    """Give the first of the values, and between what the middle 95 % of the others lie."""
    return percentile_interval(float(values[0]), values[1:])


def sampled_errors(answers: Answers, resamples: int, seed: int = 0) -> dict[str, Sampled]:
    """Compute a model's calibration errors with the library's intervals; one seed for models that are compared.

    Returns:
        A name of `ERRORS` -> error.
    """
    return sampled_metrics(answers.confidence, answers.right, ERRORS, resamples=resamples, seed=seed)


def mean_error(models: Sequence[Sampled]) -> Interval:
    """Average a calibration error over models, and the ends of its interval.

    The models answer the same pictures. How far their errors move together is not known, so that they are taken to move
    as one: an interval of a mean is then no narrower than it should be.
    """
    return _mean([each.interval for each in models])


def mean_difference(mine: Sequence[Sampled], theirs: Sequence[Sampled]) -> Interval:
    """Average paired differences of a calibration error, model by model, and the ends of their intervals."""
    return _mean([metric_difference(*pair) for pair in zip(mine, theirs, strict=True)])


def _mean(intervals: Sequence[Interval]) -> Interval:
    value, low, high = np.mean([[each.value, each.low, each.high] for each in intervals], axis=0)
    return Interval(float(value), float(low), float(high))
