"""Conformal p-values of scores among reference scores, and their combination."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def conformal_p_values(scores: npt.ArrayLike, reference: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Compute (1 + number of reference scores that are at least as large) / (n + 1).

    If a new input was drawn as the reference inputs were, the chance that its p-value is at most a is at most a, for
    every a, every n and every score function that was settled without the reference inputs: each place among the n + 1
    scores is equally likely. The chance is over the draw of the reference inputs as well as the new one; with one
    given reference the share of p-values up to a lies around a, about sqrt(a (1 - a) / n) away.

    Args:
        scores: Of new inputs, larger being more unusual; shape [m].
        reference: Of n >= 1 reference inputs, ascending; shape [n].

    Returns:
        p-values in [1 / (n + 1), 1]; shape [m].

    Raises:
        ValueError: If there is no reference score.

    Source: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; Bates, Candes, Lei, Romano and
    Sesia, "Testing for outliers with conformal p-values", Annals of Statistics 51, 2023, equation 4.

    Example:
        >>> conformal_p_values([0.5, 3.5, 9.0], [1.0, 2.0, 3.0, 4.0]).tolist()
        [1.0, 0.4, 0.2]
    """
    known = np.asarray(reference, dtype=np.float64)
    if known.ndim != 1 or len(known) == 0:
        raise ValueError("a p-value needs at least one reference score")
    # "left": reference scores that are equal count as at least as large, which keeps ties valid.
    below = np.searchsorted(known, np.asarray(scores, dtype=np.float64), side="left")
    return np.asarray((1 + len(known) - below) / (len(known) + 1), dtype=np.float64)


def bonferroni(p_values: Iterable[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """Combine p-values of the same inputs: the smallest times their number, at most 1.

    Valid however the p-values depend on each other; those of a picture and of its question share their reference
    inputs, so that Fisher's sum of logarithms, which asks for independence, would not be.

    Args:
        p_values: One array a test; shape [m] each.

    Returns:
        Combined p-values; shape [m].

    Raises:
        ValueError: If there is none.

    Example:
        >>> bonferroni([[0.01, 0.5], [0.3, 0.9]]).tolist()
        [0.02, 1.0]
    """
    stacked = np.array([np.asarray(each, dtype=np.float64) for each in p_values])
    if len(stacked) == 0:
        raise ValueError("there is no p-value to combine")
    return np.asarray(np.minimum(len(stacked) * stacked.min(axis=0), 1.0))
