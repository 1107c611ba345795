"""Isotonic regression: the rising curve that fits held-out answers best, whatever its shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from prompt4trust.calibration.base import (
    CONSTANT,
    Parameters,
    SingleInput,
    Value,
)
from prompt4trust.calibration.parameters import check_shares, lists
from prompt4trust.metrics.tally import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Isotonic(SingleInput):
    """Shares of right answers over runs of confidences, never falling, straight lines between.

    Equal confidences stay equal, a higher one never becomes the lower one, and different ones may become equal. The
    ends can be exactly 0 or 1, which few rows do not bear out: the log loss punishes that when families are compared.

    Attributes:
        confidences: The curve's corners, ascending, from the lowest to the highest confidence that was seen; beyond
            them it is level.
        shares: The corrected confidences there, never falling.

    Source: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates",
    KDD 2002; the pooling of adjacent violators is scikit-learn's, which takes rows of equal confidence as one.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> calibrator = Isotonic.fit(stated, correct)
        >>> calibrator.apply([0.5, 0.6, 0.75, 0.9]).round(3).tolist()
        [0.5, 0.5, 0.625, 0.75]
    """

    confidences: tuple[float, ...]
    shares: tuple[float, ...]
    family: ClassVar[str] = "isotonic"

    @classmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Fit by least squares over rising curves."""
        from sklearn.isotonic import IsotonicRegression  # heavy, and not needed to apply a calibrator

        model = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True, out_of_bounds="clip")
        model.fit(stated, right.astype(np.float64))
        return cls(tuple(model.X_thresholds_.tolist()), tuple(model.y_thresholds_.tolist()))

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError unless they are a rising curve in [0, 1]."""
        confidences, shares = lists(cls.family, parameters, "confidences", "shares")
        if not confidences or len(confidences) != len(shares):
            raise ValueError("isotonic's confidences and shares must be of one length, at least 1")
        if np.any(np.diff(confidences) <= 0) or np.any(np.diff(shares) < 0):
            raise ValueError("isotonic's confidences and shares must ascend")
        check_shares(cls.family, confidences, shares)
        return cls(confidences, shares)

    def parameters(self) -> dict[str, Value]:
        """Return the curve's corners."""
        return {"confidences": list(self.confidences), "shares": list(self.shares)}

    def _apply(self, stated: FloatArray) -> FloatArray:
        found = np.interp(stated, self.confidences, self.shares)
        # Between two corners the straight line may miss its end by a rounding error.
        return np.asarray(np.clip(found, self.shares[0], self.shares[-1]), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where the curve is level."""
        return [CONSTANT] if self.shares[0] == self.shares[-1] else []
