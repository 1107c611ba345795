"""Groups of a run's predictions: by the value of each stratum, or by four ranges where the values are many numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prompt4trust.evaluation.predictions import Prediction

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
