"""Agreement of sampled answers by their meaning: the largest group, semantic entropy, degree and eccentricity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NEAR = 0.9
"""Eigenvalues of the Laplacian below this tell groups; those near 1 and above it tell noise (Lin et al.)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Measures of the agreement of one question's samples.

    Attributes:
        place: The first sample of the largest group, of equal ones the group that came first.
        degree: Its mean likeness to all samples, itself included, in [0, 1]; with groups alone the largest one's share.
        certainty: 1 - entropy of the groups' shares / ln(samples): 1 where all say the same, 0 where no two do.
        centrality: 1 - its distance from the mean of all in the space of the graph's groups, in [0, 1].
    """

    place: int
    degree: float
    certainty: float
    centrality: float


def agreement_of(groups: Sequence[str | None]) -> Agreement | None:
    """Measure the agreement of samples.

    Args:
        groups: For each sample the name of the group of those that say the same, at least 2; None for one without an
            answer, which agrees with nobody.

    Returns:
        The measures; None where no sample has an answer.

    Source: semantic entropy of Kuhn et al. 2023 (arXiv 2302.09664); degree and eccentricity of Lin et al. 2024
    (Generating with Confidence, arXiv 2305.19187), on a graph that joins samples of one group.

    Example:
        >>> found = agreement_of(["edema", "edema", "mass", "edema"])
        >>> found.place, found.degree, round(found.certainty, 3), round(found.centrality, 3)
        (0, 0.75, 0.594, 0.711)
    """
    named = [group for group in groups if group is not None]
    if not named:
        return None
    largest = Counter(named).most_common(1)[0][0]  # of equal counts the first one counted
    place = list(groups).index(largest)
    likeness = _likeness(groups)
    shares = [count / len(groups) for count in Counter(named).values()]
    shares += [1 / len(groups)] * (len(groups) - len(named))
    certainty = 1 - normalized_entropy(shares, len(groups)) if len(groups) > 1 else 1.0
    return Agreement(place, float(likeness[place].mean()), certainty, 1 - eccentricity(likeness, place))


def normalized_entropy(shares: Iterable[float], most: int) -> float:
    """Compute the entropy of shares, divided by that of as many equal ones as there can be at most.

    Args:
        shares: In [0, 1]; they sum to 1.
        most: At least 2.

    Returns:
        From 0 (all in one) to 1 (evenly spread).

    Example:
        >>> normalized_entropy([0.5, 0.5], 2), normalized_entropy([0.5, 0.5], 4)
        (1.0, 0.5)
    """
    entropy = -sum(share * math.log(share) for share in shares if share > 0)
    return min(max(entropy / math.log(most), 0.0), 1.0)


def _likeness(groups: Sequence[str | None]) -> npt.NDArray[np.float64]:
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    codes = np.array([numbers[group] for group in groups])
    alike: npt.NDArray[np.float64] = (codes[:, None] == codes[None, :]).astype(np.float64)
    silent = np.array([group is None for group in groups])
    alike[silent, :] = 0
    alike[:, silent] = 0
    np.fill_diagonal(alike, 1.0)
    return alike


def eccentricity(likeness: npt.NDArray[np.float64], place: int) -> float:
    """Compute the distance of a sample from the mean in the eigenvectors of the normalised Laplacian that tell groups.

    Args:
        likeness: Of each two samples, in [0, 1], 1 with themselves; shape [n, n].
        place: The sample.

    Returns:
        From 0 up to 1, at which it is cut.
    """
    scale = 1 / np.sqrt(likeness.sum(axis=1))
    laplacian = np.eye(len(likeness)) - scale[:, None] * likeness * scale[None, :]
    values, vectors = np.linalg.eigh(laplacian)
    spread = vectors[:, values < _NEAR]
    return min(float(np.linalg.norm(spread[place] - spread.mean(axis=0))), 1.0)
