"""Venn-ABERS: two isotonic curves between which the chance of being right lies."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration.base import CONSTANT, Parameters, Signals, SingleInput, Value, check_confidence
from prompt4trust.calibration.parameters import check_shares, lists
from prompt4trust.metrics.tally import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class VennAbers(SingleInput):
    """An interval [p0, p1] for the chance of being right, and one number within it.

    p0 is what isotonic regression on the held-out answers and this one would give if this one were wrong, p1 if it were
    right. One of the two is perfectly calibrated, whatever the data's distribution, as long as held-out and new answers
    come from the same; the narrower the interval, the more that says. The single number p1 / (1 - p0 + p1) is the one
    whose log loss exceeds neither's by more than it must.

    Attributes:
        confidences: The places at which p0 or p1 steps, ascending.
        p0: The interval's lower end in [confidences[i - 1], confidences[i]); one more than confidences, never falling.
        p1: Its upper end in (confidences[i - 1], confidences[i]]; likewise.

    Source: Vovk, Petej and Fedorova, "Large-scale probabilistic predictors with and without guarantees of
    validity", NeurIPS 2015 (arXiv 1511.00213), algorithms 1 to 6, as its second author's package computes them.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> calibrator = VennAbers.fit(stated, correct)
        >>> low, high = calibrator.interval(0.9)
        >>> round(float(low), 2), round(float(calibrator.apply(0.9)), 2), round(float(high), 2)
        (0.71, 0.73, 0.76)
    """

    confidences: tuple[float, ...]
    p0: tuple[float, ...]
    p1: tuple[float, ...]
    family: ClassVar[str] = "venn-abers"

    @classmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Fit both curves for every possible confidence at once."""
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            # The package divides by 0 knowingly; importing it would change how numpy reports that, for good.
            warnings.simplefilter("ignore", RuntimeWarning)
            from venn_abers.venn_abers import calc_p0p1  # brings pandas; not needed to apply a calibrator

            lower, upper, levels = calc_p0p1(np.column_stack((1 - stated, stated)), right.astype(np.float64))
        p0, p1 = np.clip(lower[:, 1], 0.0, 1.0), np.clip(upper[:, 1], 0.0, 1.0)
        # A level at which neither curve steps makes no difference to any confidence.
        steps = (np.diff(p0) != 0) | (np.diff(p1) != 0)
        kept = np.concatenate((steps, [True]))
        return cls(tuple(levels[steps].tolist()), tuple(p0[kept].tolist()), tuple(p1[kept].tolist()))

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError unless they are two rising curves, p0 not above p1."""
        confidences, p0, p1 = lists(cls.family, parameters, "confidences", "p0", "p1")
        if not len(p0) == len(p1) == len(confidences) + 1:
            raise ValueError("venn-abers has one p0 and one p1 more than confidences")
        if np.any(np.diff(confidences) <= 0) or np.any(np.diff(p0) < 0) or np.any(np.diff(p1) < 0):
            raise ValueError("venn-abers' confidences, p0 and p1 must ascend")
        check_shares(cls.family, confidences, p0, p1)
        if np.any(np.subtract(p0[1:], p1[:-1]) > 1e-9):
            raise ValueError("venn-abers' p0 must not be above p1")
        return cls(confidences, p0, p1)

    def parameters(self) -> dict[str, Value]:
        """Return both curves."""
        return {"confidences": list(self.confidences), "p0": list(self.p0), "p1": list(self.p1)}

    def _apply(self, stated: FloatArray) -> FloatArray:
        p0, p1 = self.interval(stated)
        return np.asarray(p1 / (1 - p0 + p1), dtype=np.float64)

    def interval(
        self,
        confidence: npt.ArrayLike,
        signals: Signals | None = None,  # noqa: ARG002 - one input
    ) -> tuple[FloatArray, FloatArray]:
        """Return p0 and p1; see `Calibrator.interval`."""
        stated = check_confidence(confidence)
        p0 = np.asarray(self.p0)[np.searchsorted(self.confidences, stated, side="right")]
        p1 = np.asarray(self.p1)[np.searchsorted(self.confidences, stated, side="left")]
        return np.asarray(p0, dtype=np.float64), np.asarray(p1, dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where the curves hardly rise within the confidences that were seen."""
        inner0, inner1 = self.p0[1:], self.p1[:-1]
        level = len(set(inner0)) <= 1 and len(set(inner1)) <= 1
        return [CONSTANT] if level else []
