"""Beta calibration: a curve whose two ends may bend differently, where the logit is symmetric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.special import expit

from prompt4trust.calibration.base import (
    CLIP,
    CONSTANT,
    STEEP,
    Parameters,
    SingleInput,
    Value,
    finest_clip,
    logistic_line,
)
from prompt4trust.calibration.parameters import numbers_and_clip
from prompt4trust.metrics.tally import BoolArray, FloatArray

_SHAPES = ((True, True), (True, False), (False, True), (False, False))


@dataclass(frozen=True, slots=True)
class Beta(SingleInput):
    """The chance of being right as expit(a * ln c - b * ln(1 - c) + m) for a stated confidence c; a, b >= 0.

    With a = b it is Platt scaling of the logit; a alone bends the low end, b alone the high end. It never inverts the
    ranking.

    Attributes:
        a: Weight of ln c.
        b: Weight of -ln(1 - c).
        m: Intercept.
        clip: Least distance of a confidence from 0 and 1, as `finest_clip` has it.

    Source: Kull, Silva Filho and Flach, "Beta calibration", AISTATS 2017, section 4.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> Beta.fit(stated, correct).apply([0.6, 0.9]).round(2).tolist()
        [0.5, 0.75]
    """

    a: float
    b: float
    m: float
    clip: float = CLIP
    family: ClassVar[str] = "beta"

    @classmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Fit by maximum likelihood with a, b >= 0."""
        clip = finest_clip(stated)
        columns = _columns(stated, clip)
        # The likelihood is concave, so its best point with a, b >= 0 is the best with neither bound, if that is
        # allowed, or else lies on a bound: each way of lying there is a smaller logistic regression.
        fits = []
        for shape in _SHAPES:
            kept = [column if free else np.zeros_like(column) for column, free in zip(columns, shape, strict=True)]
            (a, b), m = logistic_line(kept, right)
            if a >= 0 and b >= 0:
                fits.append(cls(a, b, m, clip))
                if all(shape):
                    break
        return max(fits, key=lambda fit: fit._log_likelihood(columns, right))

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError unless there are a, b >= 0 and m, and at most a clip."""
        a, b, m, clip = numbers_and_clip(cls.family, parameters, "a", "b", "m")
        if a < 0 or b < 0:
            raise ValueError("beta's a and b must not be below 0")
        return cls(a, b, m, clip)

    def parameters(self) -> dict[str, Value]:
        """Return a, b, m and the clip."""
        return {"a": self.a, "b": self.b, "m": self.m, "clip": self.clip}

    def _apply(self, stated: FloatArray) -> FloatArray:
        low, high = _columns(stated, self.clip)
        return np.asarray(expit(self.a * low + self.b * high + self.m), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where all confidences become one, or are pushed apart beyond what held-out answers support."""
        if self.a == self.b == 0:
            return [CONSTANT]
        if max(self.a, self.b) > STEEP:
            return ["the curve is steep: too few held-out answers support corrected confidences this close to 0 and 1"]
        return []

    def _log_likelihood(self, columns: tuple[FloatArray, FloatArray], right: BoolArray) -> float:
        line = self.a * columns[0] + self.b * columns[1] + self.m
        return -float(np.logaddexp(0.0, np.where(right, -line, line)).sum())


def _columns(stated: FloatArray, clip: float) -> tuple[FloatArray, FloatArray]:
    clipped = np.clip(stated, clip, 1 - clip)
    return np.asarray(np.log(clipped), dtype=np.float64), np.asarray(-np.log1p(-clipped), dtype=np.float64)
