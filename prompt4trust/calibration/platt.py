"""Platt scaling: a straight line through the logit of the stated confidence, or through the confidence itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.special import expit

from prompt4trust.calibration.base import (
    CLIP,
    STEEP,
    Parameters,
    SingleInput,
    Value,
    evidence,
    finest_clip,
    logistic_line,
)
from prompt4trust.calibration.parameters import numbers, numbers_and_clip
from prompt4trust.metrics.tally import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Platt(SingleInput):
    """The chance of being right as expit(slope * logit(stated confidence) + intercept).

    A slope below 0 means that on the held-out answers more confidence went with less accuracy. It is kept, since the
    corrected confidence is then still the measured chance of being right, but the ranking of answers is inverted by it:
    `warnings` says so, and a publisher should look at the model before serving it. Where all stated confidences are
    the same, the slope cannot be known: it is 0, and every confidence becomes the share of right answers.

    Attributes:
        slope: 1 leaves the logit's scale as it is; less than 1 pulls confidences together.
        intercept: The logit of the corrected confidence where the stated one is 0.5.
        clip: Least distance of a stated confidence from 0 and 1, as `finest_clip` has it.

    Source: Platt, "Probabilistic outputs for support vector machines", 1999, on the logit as in Guo et al., 2017.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> calibrator = Platt.fit(stated, correct)
        >>> calibrator.apply([0.6, 0.9]).round(2).tolist()
        [0.5, 0.75]
        >>> {name: round(value, 2) for name, value in calibrator.parameters().items()}
        {'slope': 0.61, 'intercept': -0.25, 'clip': 0.05}
    """

    slope: float
    intercept: float
    clip: float = CLIP
    family: ClassVar[str] = "platt"

    @classmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Fit by maximum likelihood."""
        clip = finest_clip(stated)
        [slope], intercept = logistic_line([evidence(stated, clip)], right)
        return cls(slope, intercept, clip)

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`.

        Raises:
            ValueError: If there is not a finite slope and a finite intercept, and at most a clip.
        """
        return cls(*numbers_and_clip(cls.family, parameters, "slope", "intercept"))

    def parameters(self) -> dict[str, Value]:
        """Return slope, intercept and clip."""
        return {"slope": self.slope, "intercept": self.intercept, "clip": self.clip}

    def _apply(self, stated: FloatArray) -> FloatArray:
        return np.asarray(expit(self.slope * evidence(stated, self.clip) + self.intercept), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where the slope is negative, zero, or steeper than any plausible relation of confidence and truth."""
        return _warnings(self.slope, STEEP)


@dataclass(frozen=True, slots=True)
class RawPlatt(SingleInput):
    """The chance of being right as expit(slope * stated confidence + intercept).

    Confidences near 1, where overconfident models live, are not spread out as the logit spreads them: 0.90 and 0.99 are
    as far apart as 0.50 and 0.59.

    Attributes:
        slope: Change of the corrected logit from a stated 0 to a stated 1.
        intercept: The corrected logit of a stated 0.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> RawPlatt.fit(stated, correct).apply([0.6, 0.9]).round(2).tolist()
        [0.5, 0.75]
    """

    slope: float
    intercept: float
    family: ClassVar[str] = "platt-raw"

    @classmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Fit by maximum likelihood."""
        [slope], intercept = logistic_line([stated], right)
        return cls(slope, intercept)

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError unless there are exactly a finite slope and intercept."""
        return cls(*numbers(cls.family, parameters, "slope", "intercept"))

    def parameters(self) -> dict[str, Value]:
        """Return slope and intercept."""
        return {"slope": self.slope, "intercept": self.intercept}

    def _apply(self, stated: FloatArray) -> FloatArray:
        return np.asarray(expit(self.slope * stated + self.intercept), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn as `Platt.warnings`."""
        return _warnings(self.slope, 4 * STEEP)  # the logit's own slope at 0.5 is 4


def _warnings(slope: float, steep: float) -> list[str]:
    if slope < 0:
        return [
            "the slope is negative: on the held-out answers more stated confidence went with less accuracy, "
            "so this calibrator inverts the ranking of answers"
        ]
    if slope == 0:
        return ["the slope is zero: every answer gets the same confidence"]
    if slope > steep:
        return [
            "the slope is steep: confidence almost separates the right held-out answers from the wrong ones, "
            "too few of them to support corrected confidences this close to 0 and 1"
        ]
    return []
