"""The protocol that every calibrator family follows, and the steps that families share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from prompt4trust.errors import MissingSignalError
from prompt4trust.metrics.tally import BoolArray, FloatArray, check_rows

Value = float | str | list[float]
Parameters = Mapping[str, Value]
"""A fitted calibrator as JSON holds it: numbers, words, or lists of numbers, by name."""

Signals = Mapping[str, npt.ArrayLike]
"""Further numbers about the answers, by name, each of the shape of the confidences."""

MIN_ROWS = 20
"""Fewer held-out answers than this say too little to correct a confidence by."""
CLIP = 0.005
"""Half a whole per cent: the clip (see `finest_clip`) of confidences that are all 0 or 1, and of calibrators that were
fitted before the clip was taken from the data, whose files name none."""
FINEST_CLIP, COARSEST_CLIP = 1e-6, 0.25
"""A clip lies between these, however fine or coarse the confidences are."""
STEEP = 10.0
"""A slope of the logit above this is reported: stated 0.6 would become 0.98."""
WEAK_PENALTY = 1e4
"""Inverse strength of the penalty on slopes, as scikit-learn counts it: nothing to three digits, but where confidence
separates the right answers from the wrong ones, the slope stays finite."""

CONSTANT = "every answer gets the same confidence: on the held-out answers, more of it did not go with more accuracy"


class Calibrator(Protocol):
    """A fitted correction of stated confidences."""

    family: ClassVar[str]

    @classmethod
    def fit(cls, confidence: npt.ArrayLike, correct: npt.ArrayLike, signals: Signals | None = None) -> Self:
        """Fit on held-out answers.

        Args:
            confidence: Stated confidences in [0, 1]; shape [n], n >= 20. Rows without a verdict do not belong here.
            correct: Whether each answer is right; shape [n], at least one right and one wrong.
            signals: Further numbers, by name; shape [n] each. Families of one input do not look at them.

        Raises:
            MissingSignalError: If the family needs a signal that is not there.
            ValueError: If the rows are not as described.
        """
        ...

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from what `parameters` returned; raise ValueError where that is not possible."""
        ...

    def parameters(self) -> dict[str, Value]:
        """Return everything that `apply` depends on, exactly, as JSON values."""
        ...

    def inputs(self) -> tuple[str, ...]:
        """Name the signals that `apply` needs beside the confidence."""
        ...

    def apply(self, confidence: npt.ArrayLike, signals: Signals | None = None) -> FloatArray:
        """Correct confidences.

        Args:
            confidence: Stated confidences in [0, 1]; any shape.
            signals: Values for `inputs()`, of the same shape; others are not looked at.

        Returns:
            Corrected confidences in [0, 1]; the same shape.

        Raises:
            MissingSignalError: If a signal is not there.
            ValueError: If a value is not a number in [0, 1].
        """
        ...

    def interval(
        self, confidence: npt.ArrayLike, signals: Signals | None = None
    ) -> tuple[FloatArray, FloatArray] | None:
        """Bound the corrected confidences, where the family gives an interval.

        Args, errors: those of `apply`.

        Returns:
            Lower and upper ends, of the shape of the confidences, around what `apply` returns; None where the family
            gives no interval.
        """
        ...

    def warnings(self) -> list[str]:
        """List the warnings that a person should read before trusting this fit; empty where all is as expected."""
        ...


class NoInterval:
    """Base of the families that give no interval."""

    __slots__ = ()

    def interval(
        self,
        confidence: npt.ArrayLike,  # noqa: ARG002 - the protocol's signature
        signals: Signals | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> tuple[FloatArray, FloatArray] | None:
        """Return None; see `Calibrator.interval`."""
        return None


class SingleInput(NoInterval, ABC):
    """Base of the families that look at the confidence alone: they leave signals aside, and most give no interval."""

    __slots__ = ()

    @classmethod
    def fit(
        cls,
        confidence: npt.ArrayLike,
        correct: npt.ArrayLike,
        signals: Signals | None = None,  # noqa: ARG003 - the protocol's signature
    ) -> Self:
        """Fit on held-out answers; see `Calibrator.fit`."""
        return cls._fit(*check_fitting_rows(confidence, correct))

    def apply(
        self,
        confidence: npt.ArrayLike,
        signals: Signals | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> FloatArray:
        """Correct confidences; see `Calibrator.apply`."""
        return self._apply(check_confidence(confidence))

    def inputs(self) -> tuple[str, ...]:
        """Name no signals."""
        return ()

    @classmethod
    @abstractmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Fit on rows that have been checked."""

    @abstractmethod
    def _apply(self, stated: FloatArray) -> FloatArray:
        """Correct confidences that have been checked; any shape."""


def check_fitting_rows(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Check rows that a calibrator is to be fitted on.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n].
        correct: Whether each answer is right; shape [n].

    Returns:
        The confidences as floats and the outcomes as booleans.

    Raises:
        ValueError: If there are fewer than 20 rows, if all or none are right, or if a value is out of range.
    """
    stated, right = check_rows(confidence, correct)
    if len(stated) < MIN_ROWS:
        raise ValueError(f"a calibrator is fitted on at least {MIN_ROWS} answers, not {len(stated)}")
    if right.all() or not right.any():
        raise ValueError(
            f"a calibrator is fitted on right and wrong answers; these are all {'right' if right.all() else 'wrong'}"
        )
    return stated, right


def check_confidence(confidence: npt.ArrayLike) -> FloatArray:
    """Turn confidences of any shape into floats.

    Raises:
        ValueError: If one is not a number in [0, 1].
    """
    stated = np.asarray(confidence, dtype=np.float64)
    if not np.all((stated >= 0) & (stated <= 1)):  # false for NaN, too
        raise ValueError("every confidence must be a number in [0, 1]")
    return stated


def check_signal(values: npt.ArrayLike, name: str) -> FloatArray:
    """Turn the values of a signal, of any shape, into floats.

    Raises:
        ValueError: If one is not a number in [0, 1].
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"every {name} must be a number in [0, 1]")
    return array


def needed_signal(given: Signals, name: str, shape: tuple[int, ...]) -> FloatArray:
    """Take the values of a signal that a fitted calibrator needs, as floats of the shape of the confidences.

    Raises:
        MissingSignalError: If it is not there.
        ValueError: If it has another shape, or a value is not a number in [0, 1].
    """
    if name not in given:
        raise MissingSignalError(f"this calibrator needs the signal {name!r}, which the answer does not carry")
    values = check_signal(given[name], name)
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape} as confidence has, not {values.shape}")
    return values


def carried(stated: FloatArray, signals: Signals, names: Iterable[str]) -> Iterator[tuple[str, FloatArray]]:
    """Yield the signals that every answer carries and that are not the confidence itself, in the order of the names.

    Raises:
        ValueError: If a value of one that is yielded is not a number in [0, 1].
    """
    for name in names:
        values = np.asarray(signals.get(name, []), dtype=np.float64)
        if values.shape == stated.shape and not np.isnan(values).any() and not np.array_equal(values, stated):
            yield name, check_signal(values, name)


def listed(names: Sequence[str]) -> str:
    """List names of which one is needed, at least two."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


def evidence(stated: npt.ArrayLike, clip: float) -> FloatArray:
    """Take the logit of confidences, those nearer to 0 or 1 than `clip` moved there."""
    return np.asarray(logit(np.clip(stated, clip, 1 - clip)), dtype=np.float64)


def finest_clip(values: FloatArray) -> float:
    """Compute how near to 0 and 1 confidences are read where a logarithm is taken, which at 0 and 1 is infinite.

    It is half of the finest step that was seen next to 0 or 1: half a per cent of whole per cents, half a sample of
    twenty, and next to nothing of probabilities that a model computes. A fixed clip of half a per cent would make one
    value of all of these that are above 0.995, whose order tells right from wrong.

    Args:
        values: Confidences in [0, 1].

    Returns:
        The clip, from 1e-6 to 0.25; 0.005 where there is nothing but 0 and 1.

    Example:
        >>> finest_clip(np.array([0.5, 0.98, 1.0])).__round__(3), finest_clip(np.array([0.0, 1.0]))
        (0.01, 0.005)
    """
    inside = values[(values > 0) & (values < 1)]
    if not len(inside):
        return CLIP
    return float(np.clip(min(inside.min(), (1 - inside).min()) / 2, FINEST_CLIP, COARSEST_CLIP))


def logistic_line(columns: Sequence[FloatArray], right: BoolArray) -> tuple[list[float], float]:
    """Fit a logistic regression by maximum likelihood, all but unpenalised.

    Args:
        columns: The inputs, shape [n] each; one that does not vary gets the slope 0.
        right: The outcomes; shape [n], both kinds among them.

    Returns:
        A slope a column, and the intercept.
    """
    from sklearn.linear_model import LogisticRegression  # heavy, and not needed to apply a calibrator

    varying = [place for place, column in enumerate(columns) if np.ptp(column) > 0]
    slopes = [0.0] * len(columns)
    if not varying:
        return slopes, float(logit(right.mean()))
    model = LogisticRegression(C=WEAK_PENALTY, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    model.fit(np.column_stack([columns[place] for place in varying]), right)
    for place, slope in zip(varying, model.coef_[0], strict=True):
        slopes[place] = float(slope)
    return slopes, float(model.intercept_[0])
