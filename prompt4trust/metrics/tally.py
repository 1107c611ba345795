"""Counts of answers by stated confidence, from which every metric is computed, for one sample or many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Right and wrong answers at each distinct confidence.

    No metric here depends on the order of the rows, so these counts are all that is needed. Stacking the counts of many
    bootstrap resamples lets one array expression compute a metric for all of them.

    Attributes:
        levels: Distinct confidences, ascending, in [0, 1]; shape [levels].
        right: Right answers by sample and level, whole numbers; shape [samples, levels].
        wrong: Wrong answers likewise; every sample has the same, positive number of answers.

    Example:
        >>> tally = Tally.of([0.75, 0.5, 0.5], [True, True, False])
        >>> tally.levels.tolist(), tally.right.tolist(), tally.wrong.tolist()
        ([0.5, 0.75], [[1.0, 1.0]], [[1.0, 0.0]])
    """

    levels: FloatArray
    right: FloatArray
    wrong: FloatArray

    @classmethod
    def of(cls, confidence: npt.ArrayLike, correct: npt.ArrayLike) -> Tally:
        """Count one sample.

        Args:
            confidence: Stated confidences in [0, 1]; shape [n].
            correct: Whether each answer is right (bool, or 0 and 1); shape [n].

        Raises:
            ValueError: If the shapes differ or are not one-dimensional, if there are no rows, or if a value is not a
                number or out of range.
        """
        stated, right = check_rows(confidence, correct)
        levels, level = np.unique(stated, return_inverse=True)
        counts = np.bincount(2 * level + right, minlength=2 * len(levels)).astype(np.float64).reshape(1, -1, 2)
        return cls(levels, counts[..., 1], counts[..., 0])

    @property
    def total(self) -> FloatArray:
        """Answers by sample and level; shape [samples, levels]."""
        return self.right + self.wrong

    @property
    def residual(self) -> FloatArray:
        """Right answers less those promised by the confidences, by sample and level; shape [samples, levels]."""
        return self.right * (1 - self.levels) - self.wrong * self.levels

    @property
    def n(self) -> int:
        """Answers in each sample."""
        return round(float(self.right[0].sum() + self.wrong[0].sum()))


def check_rows(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Check rows and turn them into arrays.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n].
        correct: Whether each answer is right (bool, or 0 and 1); shape [n].

    Returns:
        The confidences as floats and the outcomes as booleans.

    Raises:
        ValueError: As `Tally.of`.
    """
    stated = np.asarray(confidence, dtype=np.float64)
    if stated.ndim != 1:
        raise ValueError(f"confidence must be one-dimensional, not of shape {stated.shape}")
    if len(stated) == 0:
        raise ValueError("there are no rows to measure")
    if not np.all((stated >= 0) & (stated <= 1)):  # false for NaN, too
        raise ValueError("every confidence must be a number in [0, 1]")
    return stated, check_flags(correct, "correct", len(stated))


def check_flags(flags: npt.ArrayLike, name: str, rows: int) -> BoolArray:
    """Check yes-or-no values and turn them into a boolean array.

    Args:
        flags: Booleans, or 0 and 1; shape [rows].
        name: Their name in an error message.
        rows: The number that there must be.

    Raises:
        ValueError: If the shape or a value is wrong.
    """
    array = np.asarray(flags)
    if array.shape != (rows,):
        raise ValueError(f"{name} must have shape ({rows},) as confidence has, not {array.shape}")
    if array.dtype != np.bool_ and not (np.issubdtype(array.dtype, np.number) and np.all((array == 0) | (array == 1))):
        raise ValueError(f"{name} must hold booleans, or 0 and 1")
    return array.astype(np.bool_)
