"""Rows that belong together: what they take from what is known, and how they are resampled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.tally import FloatArray

IntArray = npt.NDArray[np.int64]


def cluster_codes(clusters: npt.ArrayLike | None, rows: int) -> IntArray | None:
    """Give each cluster of rows a number, such as the questions about one picture or one patient.

    Args:
        clusters: What each row belongs to, equal values for rows that belong together; shape [rows]; None where every
            row stands alone.
        rows: The number that there must be.

    Returns:
        The number of each row's cluster, from 0; None where every row stands alone.

    Raises:
        ValueError: If the shape is wrong.

    Example:
        >>> cluster_codes(["b.png", "a.png", "b.png"], 3).tolist(), cluster_codes(["b.png", "a.png"], 2)
        ([1, 0, 1], None)
    """
    if clusters is None:
        return None
    array = np.asarray(clusters)
    if array.shape != (rows,):
        raise ValueError(f"clusters must have shape ({rows},) as confidence has, not {array.shape}")
    found, codes = np.unique(array, return_inverse=True)
    return None if len(found) == rows else codes.astype(np.int64)


def design_effect(residual: FloatArray, codes: IntArray | None) -> float:
    """Compute how many rows that belong together are worth one that stands alone, for a sum over rows.

    Args:
        residual: Each row's part in the sum, less what is expected of it; shape [n].
        codes: Number of each row's cluster; shape [n]; None where every row stands alone.

    Returns:
        Variance of the sum with the clusters over that without; at least 1, since rows of few clusters may seem to be
        less alike than they are. Where the rows do not differ, nothing tells how alike they are, and those of a cluster
        are taken to be one.

    Source: Kish, "Survey Sampling", 1965, section 5.4; Liang and Zeger, Biometrika 73, 1986, for the variance.

    Example:
        >>> round(design_effect(np.array([0.5, 0.5, -0.5, -0.5] * 50), np.arange(200) // 2), 2)
        2.02
    """
    if codes is None:
        return 1.0
    sizes = np.bincount(codes)
    clusters, alone = int((sizes > 0).sum()), float(np.square(residual).sum())
    if clusters == len(residual):
        return 1.0
    if clusters < 2 or alone <= 0:
        return float(np.square(sizes).sum() / len(residual))
    together = float(np.square(np.bincount(codes, residual)).sum()) * clusters / (clusters - 1)
    return max(1.0, together / alone)


def error_effect(gap: FloatArray, codes: IntArray | None, bins: IntArray) -> float:
    """Compute the design effect of a calibration error, whose sum is unsigned within each bin.

    Args:
        gap: Each row's outcome less its confidence; shape [n].
        codes: Number of each row's cluster; shape [n]; None where every row stands alone.
        bins: Number of the bin that each row lies in; shape [n].

    Returns:
        The larger of two effects, at least 1: of rows that share a cluster and a bin, which makes the noise of each
        bin, and of rows that share a cluster, with the signs that the bins' gaps have, which sums up over bins.
    """
    if codes is None:
        return 1.0
    held = np.maximum(np.bincount(bins), 1)
    mean = np.bincount(bins, gap) / held
    residual = gap - mean[bins]
    within = np.unique(codes * (int(bins.max()) + 1) + bins, return_inverse=True)[1]
    across = design_effect(residual * np.where(mean < 0, -1.0, 1.0)[bins], codes)
    return max(across, design_effect(residual, within.astype(np.int64)))


def resampled_rows(codes: IntArray, resamples: int, random: np.random.Generator) -> Iterator[IntArray]:
    """Draw whole clusters until there are as many rows as there were; the last one is cut to that number.

    Args:
        codes: Number of each row's cluster, from 0 without a gap; shape [n].
        resamples: Number of resamples.
        random: Draws the clusters, and which rows of one that is cut are kept.

    Yields:
        The rows of a resample; shape [n].

    Source: Field and Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society B 69, 2007.
    """
    mixed = random.permutation(len(codes))
    order = mixed[np.argsort(codes[mixed], kind="stable")]
    sizes = np.bincount(codes)
    begins = np.cumsum(sizes) - sizes
    for _ in range(resamples):
        picked = random.integers(len(sizes), size=len(codes))
        ends = np.cumsum(sizes[picked])
        picked = picked[: int(np.searchsorted(ends, len(codes))) + 1]
        size = sizes[picked]
        offset = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
        yield order[(np.repeat(begins[picked], size) + offset)[: len(codes)]]
