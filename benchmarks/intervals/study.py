"""Counts of samples whose interval holds the population's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from benchmarks.intervals.designs import DESIGNS, PAIRS, Floats, population_error
from prompt4trust.metrics import Interval, bootstrap_intervals, metric_intervals
from prompt4trust.metrics.bootstrap import Metric, percentile_interval
from prompt4trust.metrics.calibration import accuracy_of, ace_of, ece_of
from prompt4trust.metrics.intervals import metric_difference, sampled_metrics

Bools = npt.NDArray[np.bool_]
ERRORS: Mapping[str, Metric] = MappingProxyType({"ece": ece_of, "ace": ace_of})
WANTED = (0.93, 0.97)
"""Share of samples that an interval is to hold the truth in."""
_MARGIN = 0.01
BOOTSTRAPPED = 100
"""Samples at most on which the percentile bootstrap is counted, for comparison."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Coverage:
    """Where the truth lay in so many samples.

    Attributes:
        truth: The population's value.
        held: Share of samples whose interval held it.
        below: Share of samples where it lay below the interval.
        above: Share of samples where it lay above.
        value_outside: Share of samples whose own value lay outside the interval.
        width: Mean width.
        bootstrap: Share of the first hundred samples whose percentile bootstrap interval held it.
        samples: Number of samples.
    """

    truth: float
    held: float
    below: float
    above: float
    value_outside: float
    width: float
    bootstrap: float
    samples: int

    @classmethod
    def of(cls, truth: float, found: Sequence[Interval], bootstrap: Sequence[Interval]) -> Coverage:
        """Count over samples."""
        below = np.array([truth < each.low - _ROUNDING for each in found])
        above = np.array([truth > each.high + _ROUNDING for each in found])
        outside = [not each.low - _ROUNDING <= each.value <= each.high + _ROUNDING for each in found]
        held = [each.low - _ROUNDING <= truth <= each.high + _ROUNDING for each in bootstrap]
        return cls(
            truth=truth,
            held=float(1 - (below | above).mean()),
            below=float(below.mean()),
            above=float(above.mean()),
            value_outside=float(np.mean(outside)),
            width=float(np.mean([each.high - each.low for each in found])),
            bootstrap=float(np.mean(held)) if held else float("nan"),
            samples=len(found),
        )

    def as_json(self) -> dict[str, float]:
        """Render for a file."""
        return {name: round(value, 4) for name, value in asdict(self).items()}

    @property
    def near_an_edge(self) -> bool:
        """Whether so many samples leave it open on which side of an edge the share lies: a standard error from it."""
        least, most = WANTED
        return not least + _MARGIN < self.held < most - _MARGIN

    @property
    def beyond(self) -> bool:
        """Whether the share that was counted lies outside what is wanted."""
        least, most = WANTED
        return not least - _ROUNDING <= self.held <= most + _ROUNDING


def cover(design: str, n: int, samples: int, *, resamples: int = 400, seed: int = 0) -> dict[str, Coverage]:
    """Draw samples of a design and count, for ECE, ACE and accuracy.

    Args:
        design: Its name in `DESIGNS`.
        n: Answers in a sample.
        samples: Number of samples.
        resamples: Of each interval.
        seed: Of the samples; each design and n has its own stream.

    Returns:
        Metric -> coverage.
    """
    metrics = {**ERRORS, "accuracy": accuracy_of}
    found, old = [], []
    for sample, (stated, right) in enumerate(_samples(design, n, samples, seed)):
        found.append(metric_intervals(stated, right, metrics, resamples=resamples, seed=sample))
        if sample < BOOTSTRAPPED:
            old.append(bootstrap_intervals(stated, right, metrics, resamples=resamples, seed=sample))
    return {
        name: Coverage.of(_truth(design, metric), [each[name] for each in found], [each[name] for each in old])
        for name, metric in metrics.items()
    }


def count_again(design: str, n: int, metric: str, samples: int, *, resamples: int = 400, seed: int = 0) -> Coverage:
    """Draw other samples of a design, and more of them, for the one error that came out near an edge.

    Args:
        design: Its name in `DESIGNS`.
        n: Answers in a sample.
        metric: Its name in `ERRORS`.
        samples: Number of samples; none of them was drawn by `cover` under the same seed.
        resamples: Of each interval.
        seed: As of `cover`.

    Returns:
        Coverage, the bootstrap not being counted again.
    """
    only, stream = {metric: ERRORS[metric]}, 1 + list(ERRORS).index(metric)
    found = [
        metric_intervals(stated, right, only, resamples=resamples, seed=sample)[metric]
        for sample, (stated, right) in enumerate(_samples(design, n, samples, seed, stream))
    ]
    return Coverage.of(_truth(design, ERRORS[metric]), found, [])


def _samples(design: str, n: int, samples: int, seed: int, *stream: int) -> Iterator[tuple[Floats, Bools]]:
    """Draw the confidences and outcomes of so many samples, shape [n] each, from a stream of their own."""
    draw, random = DESIGNS[design], np.random.default_rng([seed, n, list(DESIGNS).index(design), *stream])
    for _ in range(samples):
        stated, chance = draw(random, n)
        yield stated, random.random(n) < chance


def _truth(design: str, metric: Metric) -> float:
    if metric in ERRORS.values() and design.startswith("calibrated"):
        return 0.0  # where a computed one is 0 but for the sum's rounding
    return population_error(DESIGNS[design], metric)


def cover_difference(pair: str, n: int, samples: int, *, resamples: int = 400, seed: int = 0) -> Coverage:
    """Draw samples of a pair and count, for the difference of their ECE.

    Args:
        pair: Its name in `PAIRS`.
        n: Answers in a sample.
        samples: Number of samples.
        resamples: Of each interval.
        seed: Of the samples.
    """
    draw = PAIRS[pair]
    truth = _true_error(pair, 1) - _true_error(pair, 2)
    random = np.random.default_rng([seed, n, list(PAIRS).index(pair)])
    found, old = [], []
    for sample in range(samples):
        chance, *stated = draw(random, n)
        right: Bools = random.random(n) < chance
        mine, theirs = (
            sampled_metrics(each, right, {"ece": ece_of}, resamples=resamples, seed=sample)["ece"] for each in stated
        )
        found.append(metric_difference(mine, theirs))
        if sample < BOOTSTRAPPED:
            difference = mine.interval.value - theirs.interval.value
            old.append(percentile_interval(difference, mine.resampled - theirs.resampled))
    return Coverage.of(truth, found, old)


def _true_error(pair: str, which: int) -> float:
    def design(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        drawn = PAIRS[pair](random, n)
        return drawn[which], drawn[0]

    if pair == "calibrated less calibrated" or (pair.startswith("calibrated") and which == 1):
        return 0.0
    return population_error(design, ece_of)
