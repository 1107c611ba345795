"""Groups of a run's predictions, by the value of each stratum or by four ranges of many numbers; and the worst one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from prompt4trust.evaluation.figures import Estimate, Figures, WorstGroupFigures
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.metrics import Interval, worst_group

_QUARTERED_ABOVE = 12
"""A group whose values are numbers, and more of them than this, is cut into four parts of equal count."""


def strata(rows: Sequence[Prediction]) -> dict[str, dict[str, list[int]]]:
    """Sort the places of rows by group and value, the values in order."""
    found: dict[str, dict[str, list[int]]] = {}
    for group in sorted({group for row in rows for group in row.groups}):
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            if group in row.groups:
                places.setdefault(row.groups[group], []).append(place)
        found[group] = _quartered(places) or dict(sorted(places.items()))
    return found


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


def _quartered(places: Mapping[str, list[int]]) -> dict[str, list[int]] | None:
    """Cut a group of many numbers into four ranges of about equal count, or None where it is not one."""
    if len(places) <= _QUARTERED_ABOVE:
        return None
    try:
        numbers = sorted((float(value), place) for value, listed in places.items() for place in listed)
    except ValueError:
        return None
    cut: dict[str, list[int]] = {}
    for part in np.array_split(np.arange(len(numbers)), 4):
        first, last = numbers[int(part[0])][0], numbers[int(part[-1])][0]
        cut.setdefault(f"{first:.2f} to {last:.2f}", []).extend(numbers[int(index)][1] for index in part)
    return cut
