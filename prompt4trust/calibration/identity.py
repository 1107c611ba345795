"""No correction: the baseline, and the right choice where stated confidences hold already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from prompt4trust.calibration.base import Parameters, SingleInput, Value
from prompt4trust.calibration.parameters import check_names
from prompt4trust.metrics.tally import BoolArray, FloatArray


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
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:  # noqa: ARG003 - there is nothing to fit
        return cls()

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from no parameters at all."""
        check_names(cls.family, parameters)
        return cls()

    def parameters(self) -> dict[str, Value]:
        """Return nothing."""
        return {}

    def _apply(self, stated: FloatArray) -> FloatArray:
        return stated.copy()

    def warnings(self) -> list[str]:
        """Return none."""
        return []
