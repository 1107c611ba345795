"""Conformal option sets: they hold the right option at a chosen rate, whatever the model's probabilities are worth.

Split conformal prediction with the score 1 - probability of the right option (LAC: Sadinle, Lei and Wasserman, JASA
114, 2019; Vovk, Gammerman and Shafer, *Algorithmic Learning in a Random World*, 2005), which gives the smallest sets on
average among methods of the same coverage. An option enters the set where its conformal p-value exceeds 1 - coverage;
without ties that is the quantile of rank ceil((n + 1) * coverage). With a uniform place among ties (smoothed p-values)
coverage is exact; without, ties count for the option and coverage is at least what was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prompt4trust.metrics.tally import FloatArray

_TINY = 1e-9
"""Whole ranks are compared: 0.1 * 10 is the first one, whatever it is in binary."""


@dataclass(frozen=True, slots=True)
class OptionSet:
    """Options, and the calibration rows that their coverage rests on.

    Attributes:
        letters: The options, in the order in which they were given; never empty.
        n: Calibration rows that the coverage rests on.
        group: Group whose rows they are, or None where they are all rows.
    """

    letters: tuple[str, ...]
    n: int
    group: str | None


def nonconformity(probability: float) -> float:
    """Compute the nonconformity of an option: 1 - its probability, to 9 decimals so that equal ones are equal.

    Example:
        >>> nonconformity(0.9)
        0.1
    """
    return round(1 - probability, 9)


class OptionSets:
    """Option sets at any coverage.

    Args:
        scores: Nonconformity of the right option of each calibration row, by group; one group for all where the
            coverage need not hold in each (Mondrian conformal prediction where it must: Vovk et al., chapter 4).

    Raises:
        ValueError: If there is no row.

    Example:
        >>> sets = OptionSets({"": [0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 0.7]})
        >>> sets.choose({"A": 0.8, "B": 0.55, "C": 0.1}, coverage=0.75).letters
        ('A', 'B')
    """

    def __init__(self, scores: Mapping[str, Sequence[float]]) -> None:
        self._groups: dict[str, FloatArray] = {
            group: np.sort(np.asarray(values, dtype=np.float64)) for group, values in scores.items()
        }
        self._all = np.sort(np.concatenate([*self._groups.values(), np.empty(0)]))
        if len(self._all) == 0:
            raise ValueError("option sets need at least one calibration row")

    @property
    def groups(self) -> list[str]:
        """The groups' names."""
        return list(self._groups)

    def choose(
        self,
        probabilities: Mapping[str, float],
        coverage: float,
        *,
        group: str | None = None,
        place: float | None = None,
    ) -> OptionSet:
        """Choose the options.

        Args:
            probabilities: Letter -> probability (or share of samples) in [0, 1]; at least one.
            coverage: Wanted probability that the right option is in the set, in (0, 1).
            group: The question's group. One that is not known, or None, gets the marginal set: its coverage holds on
                average over all groups.
            place: The row's place among ties, uniform in [0, 1) and independent of the truth; None to count ties for
                the option.

        Returns:
            The set. A group with too few rows for the coverage gives all options. Where no option is likely enough the
            most probable ones are given all the same: an empty set helps nobody, and coverage only grows.

        Raises:
            ValueError: If an argument is out of range.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage must lie between 0 and 1, not {coverage}")
        if not probabilities:
            raise ValueError("there are no probabilities to choose by")
        known = group is not None and group in self._groups
        scores = self._groups[group] if known and group is not None else self._all
        excess = (len(scores) + 1) * (1 - coverage) + _TINY
        weight = 1.0 if place is None else place
        fit = {letter: nonconformity(value) for letter, value in probabilities.items()}
        chosen = tuple(letter for letter, score in fit.items() if _rank(scores, score, weight) > excess)
        best = min(fit.values())
        return OptionSet(
            chosen or tuple(letter for letter, score in fit.items() if score == best),
            len(scores),
            group if known else None,
        )


def _rank(scores: FloatArray, score: float, weight: float) -> float:
    """Compute n + 1 times the p-value: rows that fit worse, and by weight those as bad, this one among them."""
    worse = len(scores) - int(np.searchsorted(scores, score, side="right"))
    as_bad = len(scores) - int(np.searchsorted(scores, score, side="left"))
    return worse + weight * (as_bad - worse + 1)
