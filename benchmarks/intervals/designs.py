"""Ways in which confidences and right answers are drawn, with the errors of their populations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.bootstrap import Metric
from prompt4trust.metrics.tally import Tally

Floats = npt.NDArray[np.float64]
Design = Callable[[np.random.Generator, int], tuple[Floats, Floats]]
"""Confidences and the probability that each answer is right; shape [n] each."""

_POPULATION = 1_000_000


def population_error(design: Design, metric: Metric) -> float:
    """Compute a metric of a population, of a million answers whose outcomes are their probabilities."""
    stated, probability = design(np.random.default_rng(99), _POPULATION)
    levels, level = np.unique(stated, return_inverse=True)
    right: Floats = np.bincount(level, probability).astype(np.float64)
    total: Floats = np.bincount(level).astype(np.float64)
    return float(metric(Tally(levels, right[None], (total - right)[None]))[0])


def _high(random: np.random.Generator, n: int) -> Floats:
    # Most of the mass from 0.8 to 1, in whole per cents, as models state it.
    return np.round(0.75 + 0.25 * random.beta(2, 1.2, n), 2)


def _levels(random: np.random.Generator, n: int) -> Floats:
    weights = [0.02, 0.05, 0.13, 0.2, 0.3, 0.25, 0.05]
    return random.choice([0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0], n, p=weights)


def _even(random: np.random.Generator, n: int) -> Floats:
    return np.round(random.random(n), 2)


def _off(draw: Callable[[np.random.Generator, int], Floats], truth: Callable[[Floats], Floats]) -> Design:
    def design(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        stated = draw(random, n)
        return stated, truth(stated)

    return design


def _calibrated(draw: Callable[[np.random.Generator, int], Floats]) -> Design:
    return _off(draw, lambda p: p)


def _one_confidence(value: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda _, n: np.full(n, value)


DESIGNS: Mapping[str, Design] = MappingProxyType(
    {
        "calibrated, high confidences": _calibrated(_high),
        "calibrated, seven confidences": _calibrated(_levels),
        "calibrated, even": _calibrated(_even),
        "calibrated, one confidence": _calibrated(_one_confidence(0.8)),
        "overconfident, high confidences": _off(_high, lambda p: 0.45 + 0.8 * (p - 0.75)),
        "overconfident, seven confidences": _off(_levels, lambda p: 0.5 + 0.4 * (p - 0.5)),
        "overconfident, one confidence": _off(_one_confidence(0.9), lambda p: p - 0.25),
        "5 points overconfident": _off(_high, lambda p: p - 0.05),
        "slope too steep, even": _off(_even, lambda p: 0.5 + 0.5 * (p - 0.5)),
        "slope a little too steep, even": _off(_even, lambda p: 0.5 + 0.85 * (p - 0.5)),
        "all error in one bin": _off(_even, lambda p: np.where((p > 0.8) & (p <= 0.9), p - 0.4, p)),
    }
)
"""Name -> design; those that begin with "calibrated" have no error."""


def _alike(random: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
    chance = 0.2 + 0.8 * random.random(n)
    return chance, np.round(0.5 + 0.5 * chance, 2), np.round(0.7 + 0.3 * chance, 2)


def _mended(random: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
    # Rounding is no error of calibration if the probability is rounded, too.
    chance = np.round(0.2 + 0.8 * random.random(n), 2)
    return chance, chance, np.round(0.7 + 0.3 * chance, 2)


def _half_mended(random: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
    chance = 0.2 + 0.8 * random.random(n)
    return chance, np.round(0.9 * chance, 2), np.round(0.3 + 0.7 * chance, 2)


def _both_calibrated(random: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
    chance = np.round(0.2 + 0.8 * random.random(n), 2)
    return chance, chance, np.full(n, 0.6)


PAIRS: Mapping[str, Callable[[np.random.Generator, int], tuple[Floats, Floats, Floats]]] = MappingProxyType(
    {
        "calibrated less overconfident": _mended,
        "slightly off less overconfident": _half_mended,
        "overconfident less more so": _alike,
        "calibrated less calibrated": _both_calibrated,
    }
)
"""Name -> probability that each answer is right, and two confidences in it; shape [n] each."""
