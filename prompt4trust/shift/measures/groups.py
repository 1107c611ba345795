"""Distances from a row of numbers to groups of reference rows, of which only centres and a common spread are kept.

No reference row can be read from them, so that a file of them tells of no single picture.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.measures.units import scaled, units_of

Floats = npt.NDArray[np.float64]

LEAST: Final = 10
"""Reference rows that a group has at least."""
_ROWS_A_GROUP: Final = 40
"""Reference rows for which a group is made: fewer would say little of where its centre lies."""
_MOST_GROUPS: Final = 25
_DECIMALS: Final = 6
_COARSE: Final = 3


class PictureGroups:
    """Distances between rows of numbers and groups of reference rows.

    The score of a row is its distance to the nearest group's centre, in units of the groups' common spread (the
    Mahalanobis distance). That spread is the covariance within groups, shrunk towards equal and independent numbers by
    the amount that Ledoit and Wolf (Journal of Multivariate Analysis 88, 2004) derive.

    Args:
        centre: Subtracted from each number; shape [d].
        spread: By which each number is then divided, above 0; shape [d].
        centres: The groups' centres in these units; shape [k, d].
        covariance: Their common covariance in these units, positive definite; shape [d, d].
        sizes: Reference rows of each group.
    """

    def __init__(
        self, centre: Floats, spread: Floats, centres: Floats, covariance: Floats, sizes: tuple[int, ...]
    ) -> None:
        self.centre, self.spread, self.centres, self.covariance, self.sizes = centre, spread, centres, covariance, sizes
        self._root = np.linalg.cholesky(covariance)
        self._whitened = self._whiten(centres)

    @classmethod
    def fit(cls, rows: Floats, tolerance: Floats, seed: int = 0) -> Self:
        """Learn centre, spread and groups.

        Args:
            rows: Reference rows, at least 10; shape [m, d].
            tolerance: Least spread of each number; above 0; shape [d].
            seed: Of the groups.
        """
        from sklearn.covariance import ledoit_wolf  # takes a second, and only fitting needs it

        centre, spread = units_of(rows, tolerance)
        points = scaled(rows, centre, spread)
        group = _grouped(points, seed)
        centres = np.array([points[group == each].mean(axis=0) for each in range(group.max() + 1)])
        covariance, _ = ledoit_wolf(points - centres[group], assume_centered=True)
        sizes = tuple(np.bincount(group).tolist())
        return cls(centre, spread, np.round(centres, _COARSE), covariance.astype(np.float32).astype(np.float64), sizes)

    def scores(self, rows: Floats) -> Floats:
        """Score rows; shape [n, d] -> scores of 0 or more, shape [n]."""
        white = self._whiten(scaled(rows, self.centre, self.spread))
        between = np.linalg.norm(white[:, None] - self._whitened[None], axis=2)
        return np.asarray(np.round(between.min(axis=1), _DECIMALS))

    def _whiten(self, rows: Floats) -> Floats:
        from scipy.linalg import solve_triangular  # takes time to import, and what describes pictures scores none

        white: Floats = solve_triangular(self._root, rows.T, lower=True).T
        return white


def _grouped(points: Floats, seed: int) -> npt.NDArray[np.intp]:
    """Divide points by k-means; groups that come out too small join the nearest other ones. Shape [n]."""
    from sklearn.cluster import KMeans  # as above

    wanted = max(1, min(_MOST_GROUPS, len(points) // _ROWS_A_GROUP))
    centres = KMeans(wanted, n_init=5, random_state=seed).fit(points).cluster_centers_
    while True:
        between = np.linalg.norm(points[:, None] - centres[None], axis=2)
        group = between.argmin(axis=1)
        sizes = np.bincount(group, minlength=len(centres))
        if len(centres) == 1 or sizes.min() >= LEAST:
            return np.asarray(group, dtype=np.intp)
        centres = np.delete(centres, sizes.argmin(), axis=0)
