"""Logistic regression on two signals: the confidence and a second number about the answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from prompt4trust.calibration.base import (
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
    logistic_line,
    needed_signal,
)
from prompt4trust.calibration.parameters import check_names
from prompt4trust.errors import MissingSignalError
from prompt4trust.metrics.tally import FloatArray

SECONDS = ("stated", "agreement", "reply_support", "reply_probability", "letter_probability", "vote_share")
"""Signals in [0, 1] that may stand beside the confidence; the first that the answers carry, and that is not the
confidence itself, is taken. One that is the same for all answers tells nothing: it is taken only where none varies."""


@dataclass(frozen=True, slots=True)
class TwoSignal(NoInterval):
    """The chance of being right as expit(w1 * logit(confidence) + w2 * logit(second) + intercept).

    Unlike a single-input calibrator it may raise the AUROC, since answers of equal confidence are told apart by the
    second signal. The two depend on the estimator: `cgp+consistency` has the agreement of its samples as confidence and
    the stated confidence as second signal, `logprob` the letter's probability and the stated confidence, `cgp+logprob`
    the stated confidence and the reply's probability, as far as its words support the answer.

    Attributes:
        second: The second signal's name.
        weights: Of the confidence's and the second signal's logit.
        intercept: The corrected logit where both are 0.5.
        clips: Least distance of either from 0 and 1: half of the finest step that was seen next to 0 or 1.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> calibrator = TwoSignal.fit(stated, correct, {"agreement": [0.8, 0.4] * 20})
        >>> calibrator.inputs()
        ('agreement',)
        >>> calibrator.apply([0.9, 0.9], {"agreement": [0.3, 0.9]}).round(2).tolist()
        [0.72, 0.79]
    """

    second: str
    weights: tuple[float, float]
    intercept: float
    clips: tuple[float, float]
    family: ClassVar[str] = "two-signal"

    @classmethod
    def fit(cls, confidence: npt.ArrayLike, correct: npt.ArrayLike, signals: Signals | None = None) -> Self:
        """Fit by maximum likelihood; the second signal is the first of SECONDS that can serve. See `Calibrator.fit`.

        Source: logistic regression on two logits, the confidence and a disagreement signal, as later work on medical
        visual question answering combines them (arXiv 2604.02543).
        """
        stated, right = check_fitting_rows(confidence, correct)
        name, second = _choose(stated, signals or {})
        clips = finest_clip(stated), finest_clip(second)
        columns = [evidence(stated, clips[0]), evidence(second, clips[1])]
        (first_weight, second_weight), intercept = logistic_line(columns, right)
        return cls(name, (first_weight, second_weight), intercept, clips)

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError where they are not a second signal, weights and clips."""
        check_names(cls.family, parameters, "second", "weights", "intercept", "clips")
        second, intercept = parameters["second"], parameters["intercept"]
        weights, clips = parameters["weights"], parameters["clips"]
        if not isinstance(second, str) or not second:
            raise ValueError("two-signal's second must be a signal's name")
        if not isinstance(intercept, (int, float)) or not math.isfinite(intercept):
            raise ValueError("two-signal's intercept must be a finite number")
        pairs = []
        for pair in (weights, clips):
            if not isinstance(pair, list) or len(pair) != 2 or not all(math.isfinite(each) for each in pair):
                raise ValueError("two-signal's weights and clips must be two finite numbers each")
            pairs.append((float(pair[0]), float(pair[1])))
        if not all(0 < clip < 0.5 for clip in pairs[1]):
            raise ValueError("two-signal's clips must lie between 0 and 0.5")
        return cls(second, pairs[0], float(intercept), pairs[1])

    def parameters(self) -> dict[str, Value]:
        """Return the second signal's name, weights, intercept and clips."""
        return {
            "second": self.second,
            "weights": list(self.weights),
            "intercept": self.intercept,
            "clips": list(self.clips),
        }

    def inputs(self) -> tuple[str, ...]:
        """Name the second signal."""
        return (self.second,)

    def apply(self, confidence: npt.ArrayLike, signals: Signals | None = None) -> FloatArray:
        """Correct confidences; see `Calibrator.apply`."""
        stated = check_confidence(confidence)
        second = needed_signal(signals or {}, self.second, stated.shape)
        first_weight, second_weight = self.weights
        first_clip, second_clip = self.clips
        line = first_weight * evidence(stated, first_clip) + second_weight * evidence(second, second_clip)
        return np.asarray(expit(line + self.intercept), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where more of a signal goes with less accuracy, or neither varies."""
        if self.weights == (0.0, 0.0):
            return ["every answer gets the same confidence: neither signal varies"]
        names = ("confidence", self.second)
        return [
            f"the weight of {name} is negative: where the other signal was the same, more of it went with less accuracy"
            for name, weight in zip(names, self.weights, strict=True)
            if weight < 0
        ]


def _choose(stated: FloatArray, signals: Signals) -> tuple[str, FloatArray]:
    constant: tuple[str, FloatArray] | None = None
    for found in carried(stated, signals, SECONDS):
        if np.ptp(found[1]) > 0:
            return found
        constant = constant or found
    if constant is not None:
        return constant
    raise MissingSignalError(f"two-signal needs one of {listed(SECONDS)} with every answer, beside the confidence")
