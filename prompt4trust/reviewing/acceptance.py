"""A test that a refitted calibrator is no worse than the one before, however often reviewers may have been wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration import GroupOffsets, Groups, Signals, get_family
from prompt4trust.evaluation.crossfit import cross_fit
from prompt4trust.metrics.calibration import SMALLEST_PROBABILITY
from prompt4trust.metrics.clusters import IntArray, cluster_codes, design_effect
from prompt4trust.metrics.tally import BoolArray, FloatArray
from prompt4trust.reviewing.rates import FlipRates

LEVEL = 0.05
"""The chance of accepting a calibrator that is worse, at most, for looks that are wrong as often as one of the pairs of
rates says."""

Label = Callable[[npt.NDArray[np.intp]], BoolArray]
"""Outcomes to fit on, made of the rows of these places alone."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The comparison of two calibrators under the pair of rates that is worst for the new one.

    Attributes:
        n: Answers compared on.
        clusters: Pictures (or what else answers share) that these belong to; n where each stands alone.
        difference: Mean log loss of the new one less that of the old one, in nats, as it would be on the truth.
        bound: Upper end of its one-sided 95 % interval.
        rates: The pair.
    """

    n: int
    difference: float
    bound: float
    rates: FlipRates
    clusters: int

    @property
    def passes(self) -> bool:
        """Whether the new one is no worse, under this pair and so under all."""
        return self.bound <= 0


def compare(
    new: npt.ArrayLike,
    old: npt.ArrayLike,
    right: npt.ArrayLike,
    wrong: npt.ArrayLike,
    region: Iterable[FlipRates],
    *,
    clusters: Sequence[str] | None = None,
) -> Acceptance:
    """Compare two calibrators' log losses on looks at answers, under each of several pairs of flip rates.

    The loss on a look that is wrong with known rates is corrected so that its mean is the loss on the truth. Nothing
    here tells which of the pairs is the right one: the new calibrator has to stand under all. Answers about one picture
    are alike, so that many of them tell less than as many about different ones: the interval is wider for it.

    Args:
        new: Probabilities of being right that the new calibrator gives, each without having seen the answer; shape [n].
        old: The same of the one before.
        right: How many looks found each answer right; shape [n], at least 2 answers.
        wrong: How many found it wrong; shape [n]. Every answer has a look.
        region: Pairs of flip rates.
        clusters: What each answer belongs to, such as its picture, n of them, at least 2 different ones; None where
            every one stands alone.

    Returns:
        The comparison under the pair with the highest bound.

    Raises:
        ValueError: If the rows are not as described, or no pair is given.

    Source: the unbiased loss of Natarajan et al. (Learning with noisy labels, NeurIPS 2013), lemma 1; for clusters the
    variance of Liang and Zeger (Biometrika 73, 1986), with Student's t of as many degrees of freedom as there are
    clusters, less one.

    Example:
        >>> right, wrong = [1] * 140 + [0] * 60, [0] * 140 + [1] * 60
        >>> sharp = compare([0.7] * 200, [0.95] * 200, right, wrong, [FlipRates()])
        >>> doubtful = compare([0.7] * 200, [0.95] * 200, right, wrong, [FlipRates(), FlipRates(0.25, 0)])
        >>> sharp.passes, doubtful.passes, doubtful.rates.right_called_wrong
        (True, False, 0.25)
    """
    after, before = (_chances(each) for each in (new, old))
    looks = np.stack([np.asarray(each, dtype=np.float64) for each in (right, wrong)])
    if not (after.shape == before.shape == looks[0].shape):
        raise ValueError("two calibrators are compared on rows of the same length")
    if not (np.all(looks >= 0) and np.all(looks.sum(axis=0) > 0)):  # false for NaN, too
        raise ValueError("two calibrators are compared on answers that all have a look")
    if len(after) < 2:
        raise ValueError("two calibrators are compared on at least 2 answers")
    if_right, if_wrong = _loss(after) - _loss(before), _loss(1 - after) - _loss(1 - before)
    codes = cluster_codes(clusters, len(after))
    if codes is not None and codes.max() < 1:
        raise ValueError("answers about a single picture cannot tell two calibrators apart: it takes at least 2")
    found = [_under(rates, if_right, if_wrong, looks[0] / looks.sum(axis=0), codes) for rates in region]
    if not found:
        raise ValueError("two calibrators are compared under at least one pair of flip rates")
    return max(found, key=lambda each: each.bound)


def held_out(
    family: str,
    confidence: npt.ArrayLike,
    label: Label,
    signals: Signals | None = None,
    *,
    clusters: Sequence[str] | None = None,
    groups: Groups = (),
    strata: Sequence[str] = (),
    folds: int = 5,
    seed: int = 0,
) -> FloatArray:
    """Correct every confidence by a calibrator that saw nothing of its answer, nor of what was said of it.

    Args:
        family: The calibrator family.
        confidence: Stated confidences in [0, 1]; shape [n].
        label: Makes the outcomes to fit on of rows' places: whatever it estimates, it estimates on those alone.
        signals: Further numbers, by name; shape [n] each.
        clusters: What each answer belongs to, such as its picture, n of them: those of one stay in one part, and with
            fewer of them than folds there are as many parts. None where every one stands alone.
        groups: What is known of each question, n of them; needed where there are strata.
        strata: Those whose groups are corrected each by itself, behind the family; none where all are corrected alike.
        folds: Number of parts, 2 to n.
        seed: Seed of the division into parts.

    Returns:
        Corrected confidences; shape [n].

    Raises:
        ValueError: If a part's complement is too small, or all right or all wrong; if all answers belong to one
            cluster; or if groups are not as `GroupOffsets.fit` wants them.

    Example:
        >>> right = np.array([True, True, False, True] * 20)
        >>> held_out("platt", np.array([0.9, 0.8, 0.7, 0.8] * 20), lambda places: right[places]).shape
        (80,)
    """
    stated = np.asarray(confidence, dtype=np.float64)
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in (signals or {}).items()}
    if not 2 <= folds <= len(stated):
        raise ValueError(f"{len(stated)} answers can be divided into 2 to {len(stated)} parts, not {folds}")
    if strata and len(groups) != len(stated):
        raise ValueError(f"there must be groups for each of {len(stated)} answers, not {len(groups)}")
    part = _parts(cluster_codes(clusters, len(stated)), len(stated), folds, np.random.default_rng(seed))
    corrected = np.empty_like(stated)
    for each in np.unique(part):
        others, held = np.flatnonzero(part != each), np.flatnonzero(part == each)
        shown = {name: values[others] for name, values in columns.items()}
        right = label(others)
        fitted = get_family(family).fit(stated[others], right, shown)
        corrected[held] = fitted.apply(stated[held], {name: values[held] for name, values in columns.items()})
        if strata:
            near = None if clusters is None else [clusters[place] for place in others.tolist()]
            # By confidences that were corrected without the answer, as a fit on all of them does it.
            alike = cross_fit(family, stated[others], right, signals=shown, clusters=near, folds=folds, seed=seed)
            offsets = GroupOffsets.fit(
                alike, right, [groups[place] for place in others.tolist()], strata, clusters=near
            )
            corrected[held] = offsets.apply(corrected[held], [groups[place] for place in held.tolist()])
    return corrected


def _parts(codes: IntArray | None, n: int, folds: int, random: np.random.Generator) -> IntArray:
    """Divide answers into parts of nearly equal size, whole clusters of them; shape [n]."""
    if codes is None:
        return random.permutation(n) % folds
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        raise ValueError("answers about a single picture cannot be divided by picture: it takes at least 2")
    filled = np.zeros(min(folds, len(sizes)), dtype=np.int64)
    part_of = np.empty(len(sizes), dtype=np.int64)
    for cluster in random.permutation(len(sizes)):
        part_of[cluster] = filled.argmin()
        filled[part_of[cluster]] += sizes[cluster]
    return part_of[codes]


def _chances(values: npt.ArrayLike) -> FloatArray:
    chances = np.asarray(values, dtype=np.float64)
    if chances.ndim != 1:
        raise ValueError(f"probabilities must be one-dimensional, not of shape {chances.shape}")
    if not np.all((chances >= 0) & (chances <= 1)):  # false for NaN, too
        raise ValueError("every probability must be a number in [0, 1]")
    return chances


def _loss(chance: FloatArray) -> FloatArray:
    return np.asarray(-np.log(np.maximum(chance, SMALLEST_PROBABILITY)), dtype=np.float64)


def _under(
    rates: FlipRates, if_right: FloatArray, if_wrong: FloatArray, said_right: FloatArray, codes: IntArray | None
) -> Acceptance:
    from scipy.stats import t  # takes time to import, and nothing else here needs it

    a, b = rates.right_called_wrong, rates.wrong_called_right
    told_right = (1 - b) * if_right - a * if_wrong
    told_wrong = (1 - a) * if_wrong - b * if_right
    differences = (said_right * told_right + (1 - said_right) * told_wrong) / (1 - a - b)
    n, mean = len(differences), float(differences.mean())
    clusters = n if codes is None else int(codes.max()) + 1
    variance = float(differences.var(ddof=1)) * design_effect(differences - mean, codes) / n
    bound = mean + float(t.ppf(1 - LEVEL, clusters - 1)) * math.sqrt(variance)
    return Acceptance(n, mean, bound, rates, clusters)
