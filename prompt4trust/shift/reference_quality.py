"""Quality of a reference: its false alarms on usual questions, and how well it separates unusual ones from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.bootstrap import Interval, bootstrap_intervals
from prompt4trust.metrics.proportions import exact_interval
from prompt4trust.metrics.selective import auroc_of
from prompt4trust.shift.descriptor import Described
from prompt4trust.shift.fitting import Fitted
from prompt4trust.shift.fitting_parts import unit_numbers
from prompt4trust.shift.reference import reached

Floats = npt.NDArray[np.float64]

BOTH = "both"
"""All traits together, beside each for itself."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its exact 95 % interval (Clopper and Pearson 1934)."""

    count: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.n


def beyond(atypicality: Floats, limit: float) -> Share:
    """Count the questions at or beyond a limit; at least one question."""
    count = int(sum(reached(each, limit) for each in atypicality))
    return Share(count, len(atypicality), *exact_interval(count, len(atypicality)))


def separation(usual: Floats, unusual: Floats, *, resamples: int = 1000, seed: int = 0) -> Interval:
    """Compute the AUROC of atypicality: the chance that an unusual question has more of it, ties counting one half.

    Args:
        usual: Atypicality of questions drawn as the reference; shape [n].
        unusual: That of others; shape [m].
        resamples: Bootstrap resamples for the interval.
        seed: Their seed.
    """
    scores = np.concatenate([usual, unusual])
    is_unusual = np.repeat([False, True], [len(usual), len(unusual)])
    return bootstrap_intervals(scores, is_unusual, {"auroc": auroc_of}, resamples=resamples, seed=seed)["auroc"]


def judge_each(reference_scores: tuple[Floats, Mapping[str, Floats]]) -> dict[str, Floats]:
    """Lay the result of `Reference.judge_all` out by trait, with `BOTH` for all together."""
    together, parts = reference_scores
    return {**parts, BOTH: together}


def judge_held_out(
    fitted: Fitted, described: Sequence[Described], unlike: Sequence[Described] = ()
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Judge the questions that were held out, each half by the other half, and further questions by the first half.

    A reference cannot judge the questions that it compares with; two of half the size can judge each other's. Questions
    about one picture fall into the same half.

    Args:
        fitted: The reference inputs.
        described: The questions that they were made from.
        unlike: Further questions, perhaps none.

    Returns:
        Trait (and `BOTH`) -> atypicality of the held-out questions; and of the further ones.
    """
    halves = _halves([described[place] for place in fitted.aside])
    judged = [
        judge_each(fitted.reference(other, group=1).judge_all([described[place] for place in fitted.aside[half]]))
        for half, other in (halves, halves[::-1])
    ]
    usual = {name: np.concatenate([each[name] for each in judged]) for name in judged[0]}
    return usual, judge_each(fitted.reference(halves[0], group=1).judge_all(unlike)) if unlike else {}


def halves_reach(fitted: Fitted, described: Sequence[Described], limit: float) -> bool:
    """Whether both halves, as `judge_held_out` makes them, have enough inputs for a limit."""
    halves = _halves([described[place] for place in fitted.aside])
    return all(fitted.reference(half).reaches(limit) for half in halves)


def _halves(held: Sequence[Described]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    drawn = unit_numbers(each.twins.get("picture", str(place)) for place, each in enumerate(held))
    is_first = drawn < len(np.unique(drawn)) // 2
    return np.flatnonzero(is_first), np.flatnonzero(~is_first)
