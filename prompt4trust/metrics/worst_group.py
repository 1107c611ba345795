"""The calibration error of the worst of several groups, and what chance alone makes of it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.bootstrap import Interval, percentile_interval
from prompt4trust.metrics.calibration import ece_of
from prompt4trust.metrics.consistency import calibrated_outcomes
from prompt4trust.metrics.tally import check_rows

LEAST_ROWS = 20
"""Answers of a group below which it is passed over: the ECE of so few is chance."""


@dataclass(frozen=True, slots=True)
class WorstGroup:
    """The group with the largest ECE.

    Attributes:
        group: Its name.
        n: Its answers.
        groups: Groups that it is the worst of.
        ece: Its ECE. The interval is of the largest ECE of all these groups: from the largest of their lower ends to
            the largest of their upper ones. Its upper end covers; the lower one is not corrected for the choice among
            them.
        by_chance: What the largest ECE would be if all were perfectly calibrated: the mean over draws, and between
            which values 95 % of them lie. The more groups and the fewer answers, the larger it is.
    """

    group: str
    n: int
    groups: int
    ece: Interval
    by_chance: Interval


def worst_group(
    groups: Mapping[str, Interval],
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    membership: Sequence[Hashable],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> WorstGroup | None:
    """Find the group with the largest ECE.

    Args:
        groups: Group -> its ECE with its interval, as `metric_intervals` gives it.
        confidence: Stated confidences in [0, 1]; shape [n].
        correct: Whether each answer is right; shape [n].
        membership: The group of each answer, n of them; one that is no key of `groups` is in none.
        resamples: Draws of what chance makes, at least 1.
        seed: Seed of the draws.

    Returns:
        The worst of the groups with 20 answers and more; None where there are not two of these.

    Raises:
        ValueError: If the rows are not as described.

    Example:
        >>> says, right = [0.9] * 80, [True] * 36 + [False] * 4 + [True] * 20 + [False] * 20
        >>> errors = {"CT": Interval(0.0, 0.0, 0.1), "MR": Interval(0.4, 0.24, 0.55)}
        >>> worst = worst_group(errors, says, right, ["CT"] * 40 + ["MR"] * 40)
        >>> worst.group, worst.ece, worst.by_chance.high < 0.2
        ('MR', Interval(value=0.4, low=0.24, high=0.55), True)
    """
    stated, right = check_rows(confidence, correct)
    if len(membership) != len(right):
        raise ValueError(f"there must be a group for each of {len(right)} answers, not {len(membership)}")
    places: dict[Hashable, list[int]] = {}
    for place, group in enumerate(membership):
        places.setdefault(group, []).append(place)
    told = {
        name: each
        for name, each in groups.items()
        if len(places.get(name, ())) >= LEAST_ROWS and not np.isnan(each.value)
    }
    if len(told) < 2:
        return None
    worst = max(told, key=lambda name: told[name].value)
    chance = np.max(
        [
            ece_of(calibrated_outcomes(stated[places[name]], resamples, seed + number))
            for number, name in enumerate(told)
        ],
        axis=0,
    )
    return WorstGroup(
        group=worst,
        n=len(places[worst]),
        groups=len(told),
        ece=Interval(
            told[worst].value, max(each.low for each in told.values()), max(each.high for each in told.values())
        ),
        by_chance=percentile_interval(float(chance.mean()), chance),
    )
