"""Temperature scaling: the logit of the stated confidence, divided by one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.special import expit

from prompt4trust.calibration.base import (
    CLIP,
    Parameters,
    SingleInput,
    Value,
    evidence,
    finest_clip,
)
from prompt4trust.calibration.parameters import numbers_and_clip
from prompt4trust.metrics.tally import BoolArray, FloatArray

HOTTEST, COLDEST = 100.0, 0.05
"""Temperatures are looked for between these: beyond them everything is 0.5, or 0 and 1."""


@dataclass(frozen=True, slots=True)
class Temperature(SingleInput):
    """The chance of being right as expit(logit(stated confidence) / temperature).

    It has no intercept: a stated 0.5 stays 0.5, and no answer crosses it. Where even hesitant answers are mostly right,
    or confident ones mostly wrong, it cannot help.

    Attributes:
        temperature: More than 1 pulls confidences towards 0.5.
        clip: Least distance of a confidence from 0 and 1, as `finest_clip` has it.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017 (arXiv 1706.04599), section 4.2, for
    the one confidence of an answer.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> calibrator = Temperature.fit(stated, correct)
        >>> round(calibrator.temperature, 2), calibrator.apply([0.5, 0.6, 0.9]).round(2).tolist()
        (2.09, [0.5, 0.55, 0.74])
    """

    temperature: float
    clip: float = CLIP
    family: ClassVar[str] = "temperature"

    @classmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Fit by maximum likelihood, the temperature from 0.05 to 100."""
        from scipy.optimize import minimize_scalar  # not needed to apply a calibrator

        clip = finest_clip(stated)
        signed = np.where(right, 1.0, -1.0) * evidence(stated, clip)

        def loss(slope: float) -> float:  # convex in the slope 1 / temperature, which is why that is looked for
            return float(np.logaddexp(0.0, -slope * signed).sum())

        found = minimize_scalar(
            loss, bounds=(1 / HOTTEST, 1 / COLDEST), method="bounded", options={"xatol": 1e-10, "maxiter": 500}
        )
        return cls(1 / float(found.x), clip)

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError unless there is a temperature above 0, and at most a clip."""
        temperature, clip = numbers_and_clip(cls.family, parameters, "temperature")
        if temperature <= 0:
            raise ValueError("temperature's temperature must be above 0")
        return cls(temperature, clip)

    def parameters(self) -> dict[str, Value]:
        """Return temperature and clip."""
        return {"temperature": self.temperature, "clip": self.clip}

    def _apply(self, stated: FloatArray) -> FloatArray:
        return np.asarray(expit(evidence(stated, self.clip) / self.temperature), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where the temperature is at the end of its range."""
        if self.temperature > 0.99 * HOTTEST:
            return ["the temperature is at its highest: every answer gets a confidence of about 0.5"]
        if self.temperature < 1.01 * COLDEST:
            return ["the temperature is at its lowest: confidences are pushed to 0 and 1"]
        return []
