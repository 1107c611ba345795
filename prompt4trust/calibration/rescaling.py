"""Rescaling: what a calibrator states, moved by a rising line in log-odds that is fitted on all checked answers.

A calibrator is fitted on some of the checked answers, so that a guard can be tested on others. What is stated then
rests on a part of them. A guard proves something of an order of answers: of those from a place on. A rising line behind
the calibrator moves every number and no answer's place, so that it may be fitted on all answers, the guard's among
them. A guard never sees it: answers are ranked by the confidence before it (`CalibratorArtifact.rank`), so that ties,
and what rounding makes equal, are what they were when the guard was tested.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from prompt4trust.calibration.base import check_confidence
from prompt4trust.calibration.platt import Platt
from prompt4trust.metrics.tally import FloatArray

DECIMALS = 4
"""Confidences are ranked and shown to as many: what is equal to a guard is then stated equal, too."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RescalingData(_Part):
    """One run's answers that a rescaling was fitted on.

    Attributes:
        dataset: Name of the data.
        data_hash: SHA-256 of the rows, as calibrators have it.
        n: Their number.
        judged: Whether the line's figures are of these, too: they were not among those that the calibrator in front of
            it was fitted on.
    """

    dataset: str
    data_hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    n: int = Field(ge=1)
    judged: bool


class Rescaling(_Part):
    """A rising line in log-odds behind a calibrator.

    Attributes:
        slope: Above 0, so that no two answers change places.
        intercept: The log-odds that a confidence of 0.5 is moved to.
        clip: Least distance of a confidence from 0 and 1 where its log-odds are taken.
        data: The runs whose answers it was fitted on.
        calibrated: When the calibrator in front of it was fitted.
        judged: Number of answers that the figures are of, those of `data` that are judged.
        folds: In how many parts `metrics_after` was cross-fitted.
        metrics_before: Metric -> value and ends of the confidences in front of the line.
        metrics_after: The same behind it.
        change: Metric -> what it changes by, question by question.

    Example:
        >>> says = [0.6] * 40 + [0.8] * 40
        >>> right = [True] * 28 + [False] * 12 + [True] * 36 + [False] * 4  # 0.7 and 0.9 of them
        >>> slope, intercept, clip = Rescaling.line(says, right)
        >>> line = Rescaling.model_construct(slope=slope, intercept=intercept, clip=clip)
        >>> line.apply([0.6, 0.8]).round(2).tolist()
        [0.7, 0.9]
    """

    slope: float = Field(gt=0)
    intercept: float
    clip: float = Field(gt=0, lt=0.5)
    data: tuple[RescalingData, ...] = Field(min_length=1, max_length=64)
    calibrated: AwareDatetime
    judged: int = Field(ge=1)
    folds: int = Field(ge=2)
    metrics_before: dict[str, dict[str, float | None]]
    metrics_after: dict[str, dict[str, float | None]]
    change: dict[str, dict[str, float | None]]

    @property
    def n(self) -> int:
        """Answers that it was fitted on."""
        return sum(each.n for each in self.data)

    @property
    def dataset(self) -> str:
        """Names of the data, with commas."""
        return ", ".join(dict.fromkeys(each.dataset for each in self.data))

    @classmethod
    def line(cls, corrected: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[float, float, float]:
        """Fit slope, intercept and clip by maximum likelihood.

        Args:
            corrected: Confidences in front of the line, in [0, 1]; shape [n], n >= 20.
            correct: Whether each answer is right; shape [n], right and wrong ones among them.

        Raises:
            ValueError: If the rows are not as described, or the line does not rise: it would turn the order of answers
                round, or make all of them equal.
        """
        fitted = Platt.fit(_ranked(corrected), correct)
        if not fitted.slope > 0:
            raise ValueError(
                f"the line does not rise (its slope is {fitted.slope:.3g}): more confidence did not go with more right "
                "answers, and to move it would turn the order that a guard rests on"
            )
        return fitted.slope, fitted.intercept, fitted.clip

    def apply(self, corrected: npt.ArrayLike) -> FloatArray:
        """Move confidences.

        Args:
            corrected: Confidences in front of the line, in [0, 1]; any shape. They are read to 4 decimals.

        Returns:
            Those behind it, in the same order; the same shape.

        Raises:
            ValueError: If a confidence is out of range.
        """
        return Platt(self.slope, self.intercept, self.clip).apply(_ranked(check_confidence(corrected)))

    def was_fitted_on(self, data_hash: str) -> bool:
        """Whether rows of this hash are among those that it was fitted on."""
        return any(each.data_hash == data_hash for each in self.data)


def _ranked(corrected: npt.ArrayLike) -> FloatArray:
    return np.asarray(np.round(np.asarray(corrected, dtype=np.float64), DECIMALS), dtype=np.float64)
