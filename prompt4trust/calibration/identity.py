"""No correction: the baseline, and the right choice where stated confidences hold already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy.typing as npt

from prompt4trust.calibration.base import Parameters, Signals, SingleInput, Value, check_confidence, check_fitting_rows
from prompt4trust.calibration.parameters import check_names
from prompt4trust.metrics.tally import FloatArray


@dataclass(frozen=True, slots=True)
class Identity(SingleInput):
    """The stated confidence as it is: a calibrator that held-out answers have shown to need none.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> Identity.fit(stated, correct).apply([0.6, 0.9]).tolist()
        [0.6, 0.9]
    """

    family: ClassVar[str] = "identity"

    @classmethod
    def fit(
        cls,
        confidence: npt.ArrayLike,
        correct: npt.ArrayLike,
        signals: Signals | None = None,  # noqa: ARG003 - one input
    ) -> Self:
        """Check the rows; there is nothing to fit. See `Calibrator.fit`."""
        check_fitting_rows(confidence, correct)
        return cls()

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from no parameters at all."""
        check_names(cls.family, parameters)
        return cls()

    def parameters(self) -> dict[str, Value]:
        """Return nothing."""
        return {}

    def apply(
        self,
        confidence: npt.ArrayLike,
        signals: Signals | None = None,  # noqa: ARG002 - one input
    ) -> FloatArray:
        """Return the confidences; see `Calibrator.apply`."""
        return check_confidence(confidence).copy()

    def warnings(self) -> list[str]:
        """Return none."""
        return []
