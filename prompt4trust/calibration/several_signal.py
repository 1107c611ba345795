"""Logistic regression on all signals of an answer that may only speak for it, kept small by a penalty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from prompt4trust.calibration.base import (
    CONSTANT,
    NoInterval,
    Parameters,
    Signals,
    Value,
    carried,
    check_confidence,
    check_fitting_rows,
    evidence,
    finest_clip,
    listed,
    needed_signal,
)
from prompt4trust.calibration.parameters import check_names, joined_names, read_names
from prompt4trust.calibration.ridge import RidgeFit, SeenOutcomes, fit_ridge
from prompt4trust.calibration.two_signal import SECONDS
from prompt4trust.errors import MissingSignalError
from prompt4trust.metrics.tally import FloatArray
from prompt4trust.question_signals.typicality import is_typicality

SIGNALS = (
    *SECONDS,
    *("picture_shift", "picture_support", "noise_support", "self_check", "stated_typicality", "guess_margin"),
    *("relative_confidence", "open_support", "words_agree", "second_opinion"),
    *("semantic_certainty", "centrality", "embedded_degree", "embedded_centrality", "semantic_concentration"),
)
"""Signals in [0, 1] that may stand beside the confidence: those of `two-signal`, of second looks, of guesses and of
what a reply says before its letter; and every typicality (`prompt4trust.question_signals.typicality`), whose names say
by which reference inputs it is. Not words_certainty: an answer without such words has no value of it, and would be
uncalibrated for its wording."""

_NOTHING = 1e-9
"""A signal whose weight is not above this says nothing, and no answer needs it."""


@dataclass(frozen=True, slots=True)
class SeveralSignal(NoInterval):
    """The chance of being right as expit(sum of w_i * logit(signal_i) + intercept), no w_i below 0.

    The signals are the confidence and those of `SIGNALS` and typicalities that all answers carry and that have a
    weight. With more of them than the two of `two-signal`, weights of signals that say the same would run against each
    other; the sign says that each can only speak for an answer, and the penalty shares what they say between them. So
    a question that is farther from the known ones is never believed more.

    Attributes:
        signals: Names of the further signals; none where none says anything beside the confidence.
        weights: Of the logit of the confidence, then of each signal's; finite, none below 0.
        intercept: The corrected logit where all are 0.5.
        clips: Least distance of each from 0 and 1, in the same order: half of the finest step seen next to 0 or 1.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> signals = {"agreement": [0.8, 0.4] * 20, "reply_probability": [0.3, 0.9, 0.4, 0.8] * 10}
        >>> calibrator = SeveralSignal.fit(stated, correct, signals)
        >>> calibrator.inputs()
        ('agreement', 'reply_probability')
        >>> low, high = calibrator.apply([0.6, 0.9], {"agreement": [0.4, 0.8], "reply_probability": [0.5, 0.5]})
        >>> bool(low < high)
        True
    """

    signals: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float
    clips: tuple[float, ...]
    family: ClassVar[str] = "several-signal"

    @classmethod
    def fit(cls, confidence: npt.ArrayLike, correct: npt.ArrayLike, signals: Signals | None = None) -> Self:
        """Fit by penalised maximum likelihood under the signs. See `Calibrator.fit`.

        Source: ridge-penalised logistic regression (le Cessie and van Houwelingen, Applied Statistics 41, 1992), the
        weights bounded from below at 0.
        """
        stated, right = check_fitting_rows(confidence, correct)
        found = usable_signals(stated, signals or {})
        if not found:
            raise MissingSignalError(
                f"several-signal needs one of {listed(SIGNALS)} with every answer, beside the confidence"
            )
        values = [stated, *found.values()]
        clips = [finest_clip(each) for each in values]
        columns = [evidence(each, clip) for each, clip in zip(values, clips, strict=True)]
        return cls.of_use(list(found), fit_ridge(columns, SeenOutcomes.known(right)), clips)

    @classmethod
    def of_use(cls, signals: Sequence[str], fit: RidgeFit, clips: Sequence[float]) -> Self:
        """Keep of a fit what has a weight.

        Args:
            signals: Names of the further signals.
            fit: The weights of the confidence and of these.
            clips: Of the confidence and of these.
        """
        kept = [place for place, weight in enumerate(fit.weights[1:]) if weight > _NOTHING]
        return cls(
            tuple(signals[place] for place in kept),
            (fit.weights[0], *(fit.weights[place + 1] for place in kept)),
            fit.intercept,
            (clips[0], *(clips[place + 1] for place in kept)),
        )

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError where they are not signals, weights and clips."""
        check_names(cls.family, parameters, "signals", "weights", "intercept", "clips")
        names, intercept = read_names(cls.family, "signals", parameters["signals"]), parameters["intercept"]
        if not isinstance(intercept, (int, float)) or not math.isfinite(intercept):
            raise ValueError("several-signal's intercept must be a finite number")
        weights = _list_of(parameters["weights"], len(names) + 1)
        clips = _list_of(parameters["clips"], len(names) + 1)
        if min(weights) < 0:
            raise ValueError("several-signal's weights must not be below 0")
        if not all(0 < clip < 0.5 for clip in clips):
            raise ValueError("several-signal's clips must lie between 0 and 0.5")
        return cls(tuple(names), weights, float(intercept), clips)

    def parameters(self) -> dict[str, Value]:
        """Return the signals' names in one text, weights, intercept and clips."""
        return {
            "signals": joined_names(self.signals),
            "weights": list(self.weights),
            "intercept": self.intercept,
            "clips": list(self.clips),
        }

    def inputs(self) -> tuple[str, ...]:
        """Name the further signals."""
        return self.signals

    def apply(self, confidence: npt.ArrayLike, signals: Signals | None = None) -> FloatArray:
        """Correct confidences; see `Calibrator.apply`."""
        return np.asarray(expit(self.line(check_confidence(confidence), signals or {})), dtype=np.float64)

    def line(self, stated: FloatArray, given: Signals) -> FloatArray:
        """Compute the logits of the corrected confidences, for confidences that have been checked; see `apply`."""
        line = self.weights[0] * evidence(stated, self.clips[0])
        for name, weight, clip in zip(self.signals, self.weights[1:], self.clips[1:], strict=True):
            line = line + weight * evidence(needed_signal(given, name, stated.shape), clip)
        return np.asarray(line + self.intercept, dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where no signal says anything."""
        return [] if any(self.weights) else [CONSTANT]


def usable_signals(stated: FloatArray, signals: Signals) -> dict[str, FloatArray]:
    """Choose the signals that may stand beside the confidence and that all answers carry; shape [n] each.

    Not reply_probability beside reply_support, which is the same wherever the reply does not contradict itself: it
    would take part of the weight, and with it believe what does.

    Raises:
        ValueError: If a value of one of them is not a number in [0, 1].
    """
    typicalities = sorted(name for name in signals if is_typicality(name))
    found = dict(carried(stated, signals, (*SIGNALS, *typicalities)))
    if "reply_support" in found:
        found.pop("reply_probability", None)
    return found


def _list_of(value: Value, count: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count or not all(math.isfinite(each) for each in value):
        raise ValueError(
            f"several-signal's weights and clips must be {count} finite numbers each, as there are signals"
        )
    return tuple(float(each) for each in value)
