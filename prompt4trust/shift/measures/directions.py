"""A direction along which known pictures of another kind lie apart, for what no distance tells.

A picture that was drawn to look like the reference's is as near to it as these are to each other. Where such pictures
can be had, a sum of weighed numbers tells them, and their like. It says nothing of kinds that it never saw, so it
stands beside distances and not in their place.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.measures.units import scaled

Floats = npt.NDArray[np.float64]

_PENALTY: Final = 0.001
_DECIMALS: Final = 6


class Direction:
    """A weighed sum of a trait's numbers, large for pictures of another kind.

    The score of a row is the logistic loss of calling it one of the reference's: about 0 for a row on their side, the
    weighed sum itself far on the other.

    Args:
        centre: Subtracted from each number; shape [d].
        spread: By which each number is then divided, above 0; shape [d].
        weights: Of the numbers; shape [d].
        bias: Added to their sum.

    Example:
        >>> apart = Direction(np.zeros(2), np.ones(2), np.array([1.0, 0.0]), -2.0)
        >>> apart.scores(np.array([[0.0, 5.0], [6.0, 5.0]])).round(2).tolist()
        [0.13, 4.02]
    """

    def __init__(self, centre: Floats, spread: Floats, weights: Floats, bias: float) -> None:
        self.centre, self.spread, self.weights, self.bias = centre, spread, weights, bias

    @classmethod
    def fit(cls, rows: Floats, others: Floats, tolerance: Floats) -> Self:
        """Learn the weights: logistic regression with a ridge, both sides weighing the same.

        Args:
            rows: Reference rows, at least 1; shape [m, d].
            others: Rows of another kind, at least 1; shape [n, d].
            tolerance: Least spread of each number; above 0; shape [d].
        """
        from scipy.optimize import minimize  # takes time to import, and is not needed to score pictures

        centre, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), tolerance)
        points = scaled(np.concatenate([rows, others]), centre, spread)
        is_other = np.repeat([0.0, 1.0], [len(rows), len(others)])
        share = np.repeat([0.5 / len(rows), 0.5 / len(others)], [len(rows), len(others)])

        def loss(given: Floats) -> tuple[float, Floats]:
            weights, sums = given[:-1], points @ given[:-1] + given[-1]
            missed = share * (1 / (1 + np.exp(-sums)) - is_other)
            value = share @ (np.logaddexp(0, sums) - is_other * sums) + _PENALTY * weights @ weights / 2
            return float(value), np.append(points.T @ missed + _PENALTY * weights, missed.sum())

        found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
        # As a file keeps them: what is fitted and what is loaded must not differ.
        centre, spread, found = (np.round(each, _DECIMALS) for each in (centre, spread, found))
        return cls(centre, spread, found[:-1], float(found[-1]))

    @classmethod
    def sum_of(cls, places: slice, tolerance: Floats) -> Self:
        """Make the plain sum of some numbers in units of their tolerance: nothing is learned."""
        weights = np.zeros(len(tolerance))
        weights[places] = 1.0
        return cls(np.zeros(len(tolerance)), np.round(tolerance, _DECIMALS), weights, 0.0)

    def scores(self, rows: Floats) -> Floats:
        """Score rows; shape [n, d] -> scores of 0 or more, shape [n]."""
        sums = scaled(rows, self.centre, self.spread) @ self.weights + self.bias
        return np.asarray(np.round(np.logaddexp(0, sums), _DECIMALS))
