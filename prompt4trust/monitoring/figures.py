"""Live figures of reviewed answers, with intervals cheap enough to compute again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics import Interval, metric_intervals
from prompt4trust.metrics.calibration import brier_of, ece_of, mean_confidence_of
from prompt4trust.metrics.consistency import consistency_band
from prompt4trust.metrics.proportions import exact_interval, wilson_interval
from prompt4trust.metrics.tally import check_flags, check_rows

_NO_ENDS = (float("nan"), float("nan"))
_UNKNOWN = Interval(float("nan"), *_NO_ENDS)
_METRICS = {"ece": ece_of, "brier": brier_of, "mean_confidence": mean_confidence_of}
_FEW = 10
"""With fewer rows resampling tells nothing of what others would be like: there are no intervals then."""


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """Figures of one set of reviewed answers; each is NaN where it is undefined.

    Attributes:
        reviewed: Answers.
        calibrated: Those among them with a calibrated confidence, which the next five are of.
        ece: Expected calibration error, with its interval (as those of the next two, from ten answers on).
        chance: This error by chance alone, were the confidences right: mean, and a 95 % band.
        brier: Brier score, with its bootstrap interval.
        accuracy: Share of right answers, with its exact (Clopper-Pearson) interval.
        mean_confidence: Mean confidence, with its bootstrap interval.
        answered: Answers that were given, not left to a person.
        errors: Wrong ones among these.
        coverage: Share given, with its Wilson interval.
        selective_risk: Share of wrong ones among those given, with its exact (Clopper-Pearson) interval.
    """

    reviewed: int
    calibrated: int
    ece: Interval
    chance: Interval
    brier: Interval
    accuracy: Interval
    mean_confidence: Interval
    answered: int
    errors: int
    coverage: Interval
    selective_risk: Interval

    def as_json(self) -> dict[str, int | dict[str, float | None]]:
        """Render as an object with null for what is undefined."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value.as_json() if isinstance(value, Interval) else int(value) for name, value in values.items()}


def live_figures(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    answered: npt.ArrayLike,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> LiveFigures:
    """Compute the figures of reviewed answers.

    Args:
        confidence: Calibrated confidences in [0, 1], NaN where there is none; shape [n], n may be 0.
        correct: Whether each answer is right; shape [n].
        answered: Whether each was given, not left to a person; shape [n].
        resamples: Bootstrap resamples, and draws for the band.
        seed: Seed of both.

    Returns:
        The figures.

    Raises:
        ValueError: If the rows are not as described.

    Example:
        >>> right = [True, True, True, False]
        >>> figures = live_figures([0.75, 0.75, 0.5, 0.5], right, answered=right)
        >>> figures.ece.value, figures.accuracy.value, figures.coverage.value, figures.errors
        (0.125, 0.75, 0.75, 0)
    """
    stated = np.asarray(confidence, dtype=np.float64)
    rows = stated.size
    right, given = check_flags(correct, "correct", rows), check_flags(answered, "answered", rows)
    known = ~np.isnan(stated)
    found = dict.fromkeys((*_METRICS, "chance"), _UNKNOWN)
    if known.any():
        usable, outcomes = check_rows(stated[known], right[known])
        found |= metric_intervals(usable, outcomes, _METRICS, resamples=resamples, seed=seed)
        if len(usable) < _FEW:
            found |= {name: Interval(found[name].value, *_NO_ENDS) for name in _METRICS}
        found["chance"] = consistency_band(usable, ece_of, resamples=resamples, seed=seed)
    errors = int((given & ~right).sum())
    return LiveFigures(
        reviewed=rows,
        calibrated=int(known.sum()),
        accuracy=_share(int(right[known].sum()), int(known.sum()), exact_interval),
        answered=int(given.sum()),
        errors=errors,
        coverage=_share(int(given.sum()), rows, wilson_interval),
        selective_risk=_share(errors, int(given.sum()), exact_interval),
        **found,
    )


def _share(count: int, of: int, interval: Callable[[int, int], tuple[float, float]]) -> Interval:
    return Interval(count / of, *interval(count, of)) if of else _UNKNOWN
