"""The worst group of each stratum by its calibration error, from figures by group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from prompt4trust.evaluation.figures import Estimate, Figures, WorstGroupFigures
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.metrics import Interval, worst_group


def worst_groups(
    figures: Mapping[str, Mapping[str, Figures]],
    places: Mapping[str, Mapping[str, Sequence[int]]],
    scored: PredictionArrays,
    *,
    resamples: int,
    seed: int,
) -> dict[str, WorstGroupFigures]:
    """Find the worst value of every stratum by the ECE over its valid rows.

    Args:
        figures: Stratum -> value -> figures.
        places: Stratum -> value -> places of its rows.
        scored: The rows.
        resamples: Draws of what chance makes.
        seed: Seed of the draws.

    Returns:
        Stratum -> its worst value; without those that have not two values with enough rows.
    """
    valid = np.flatnonzero(scored.valid).tolist()
    found = {}
    for stratum, values in figures.items() if valid else ():
        value_of = {place: value for value, rows in places[stratum].items() for place in rows}
        worst = worst_group(
            {value: _interval(each.valid.get("ece")) for value, each in values.items()},
            scored.confidence[valid],
            scored.correct[valid],
            [value_of.get(place) for place in valid],
            resamples=resamples,
            seed=seed,
        )
        if worst is not None:
            found[stratum] = WorstGroupFigures(
                value=worst.group,
                n=worst.n,
                groups=worst.groups,
                ece=_estimate(worst.ece),
                by_chance=_estimate(worst.by_chance),
            )
    return found


def _interval(estimate: Estimate | None) -> Interval:
    ends = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
    value, low, high = (math.nan if each is None else each for each in ends)
    return Interval(value, low, high)


def _estimate(interval: Interval) -> Estimate:
    value, low, high = (each if math.isfinite(each) else None for each in (interval.value, interval.low, interval.high))
    return Estimate(value=value, low=low, high=high)
