"""Logistic regression with a ridge penalty and weights that must not be below 0, on outcomes known or only seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from prompt4trust.metrics.tally import BoolArray, FloatArray

PENALTY = 1.0
"""Precision of the normal prior on each weight, the columns being scaled to a deviation of 1: a weight of 1 there costs
half a nat over all answers, which a few dozen answers outweigh."""
_EDGE = 1e-3


@dataclass(frozen=True, slots=True)
class SeenOutcomes:
    """The log-probability of what was seen of each answer, were it right and were it wrong.

    Attributes:
        if_right: Shape [n], at most 0.
        if_wrong: The same. Of a known outcome one of both is 0 and the other minus infinity.
    """

    if_right: FloatArray
    if_wrong: FloatArray

    @classmethod
    def known(cls, right: BoolArray) -> Self:
        """Make outcomes that are known; shape [n]."""
        with np.errstate(divide="ignore"):
            return cls(np.log(right.astype(np.float64)), np.log((~right).astype(np.float64)))

    @property
    def difference(self) -> FloatArray:
        """The logarithm of how many times more probable what was seen is of a right answer; shape [n]."""
        return np.asarray(self.if_right - self.if_wrong, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class RidgeFit:
    """Fitted weights.

    Attributes:
        weights: Of the columns that were given, in their order; none below 0.
        intercept: The line where all are 0.
    """

    weights: tuple[float, ...]
    intercept: float

    def line(self, columns: Sequence[FloatArray]) -> FloatArray:
        """Compute the logit of being right for columns of the kinds fitted on, at least one; shape [n]."""
        return np.asarray(np.column_stack(columns) @ np.array(self.weights) + self.intercept, dtype=np.float64)


def fit_ridge(columns: Sequence[FloatArray], outcomes: SeenOutcomes) -> RidgeFit:
    """Fit weights by penalised maximum likelihood.

    Args:
        columns: Inputs that may only speak for an answer, scaled here; shape [n] each. One that does not vary gets the
            weight 0.
        outcomes: What was seen of n answers.

    Returns:
        The weights, for inputs that are not scaled.

    Source: le Cessie and van Houwelingen, Applied Statistics 41 (1992); the marginal likelihood of outcomes that were
    not seen themselves as in Raykar et al., JMLR 11 (2010).

    Example:
        >>> right = np.array([True, False, True, True] * 10)
        >>> fit = fit_ridge([np.array([1.0, -1.0, 0.5, 1.0] * 10)], SeenOutcomes.known(right))
        >>> fit.weights[0] > 0
        True
    """
    from scipy.optimize import minimize  # takes time to import, and is not needed to apply a calibrator

    n = len(outcomes.if_right)
    varying = [place for place, column in enumerate(columns) if np.ptp(column) > 0]
    raw = np.column_stack([columns[place] for place in varying]) if varying else np.empty((n, 0))
    middle, scale = raw.mean(axis=0), raw.std(axis=0)
    inputs = (raw - middle) / scale

    def loss(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        line = inputs @ x[:-1] + x[-1]
        value = np.logaddexp(0, line).sum() - np.logaddexp(outcomes.if_right + line, outcomes.if_wrong).sum()
        missing = expit(line) - expit(line + outcomes.difference)
        slope = np.append(inputs.T @ missing + PENALTY * x[:-1], missing.sum())
        return float(value + PENALTY / 2 * (x[:-1] @ x[:-1])) / n, slope / n

    share = float(np.clip(expit(outcomes.difference).mean(), _EDGE, 1 - _EDGE))
    begin = np.append(np.zeros(len(varying)), logit(share))
    bounds = [(0.0, None)] * len(varying) + [(None, None)]
    options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10}
    fitted = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    signed = fitted[:-1] / scale
    weights = [0.0] * len(columns)
    for place, weight in zip(varying, signed, strict=True):
        weights[place] = float(weight)
    return RidgeFit(tuple(weights), float(fitted[-1] - signed @ middle))
