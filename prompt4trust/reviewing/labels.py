"""SeenOutcomes to fit a calibrator on, from looks that are sometimes wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from prompt4trust.calibration.base import Signals, evidence, finest_clip
from prompt4trust.calibration.ridge import SeenOutcomes, fit_ridge
from prompt4trust.calibration.several_signal import usable_signals
from prompt4trust.metrics.tally import BoolArray, FloatArray
from prompt4trust.reviewing.rates import FlipRates

_SMALLEST = 1e-9
"""A rate of 0 is taken for this, so that looks which contradict each other are possible under all rates."""


def chances_right(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    wrong: npt.ArrayLike,
    rates: FlipRates,
    signals: Signals | None = None,
) -> FloatArray:
    """Compute how probable it is that each answer is right, given the looks at it and how often looks are wrong.

    Before the looks, that is expit of a line in the logits of the confidence and of the signals, none of whose weights
    is below 0, with a ridge penalty, as the family `several-signal` has it; the line is the one under which the looks
    are most probable.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n].
        right: How many looks found each answer right; shape [n].
        wrong: How many found it wrong; shape [n].
        rates: How often looks are wrong.
        signals: Further numbers, by name; shape [n] each. Those that not every answer carries are left aside.

    Returns:
        Probabilities; shape [n].

    Source: the E step of Dawid and Skene (Applied Statistics 28, 1979) with a logistic prior (Raykar et al., JMLR 11,
    2010).

    Example:
        >>> stated, looks = [0.6, 0.9] * 50, [1, 1, 0, 1] * 25
        >>> chances = chances_right(stated, looks, [1 - look for look in looks], FlipRates(0.2, 0.1))
        >>> bool(chances[2] < chances[0] < chances[1])
        True
    """
    right_looks, wrong_looks = (np.asarray(each, dtype=np.float64) for each in (right, wrong))
    return _chances(np.asarray(confidence, dtype=np.float64), right_looks, wrong_looks, rates, signals)[0]


def draw_outcomes(chances: npt.ArrayLike, order: npt.ArrayLike, seed: int = 0) -> BoolArray:
    """Draw an outcome for each answer, so that along an order there are as many right ones as the chances sum up to.

    Args:
        chances: Probabilities; shape [n].
        order: The answers are gone through from the lowest value to the highest; shape [n].
        seed: Seed of the draw, and of the order among equals.

    Returns:
        The outcomes; shape [n]. In every stretch of the order the number of right ones differs from the sum of their
        chances by less than 2.

    Source: systematic sampling (Madow, Annals of Mathematical Statistics 20, 1949).

    Example:
        >>> draw_outcomes([0.5] * 4 + [1.0, 0.0], [1, 2, 3, 4, 5, 6]).tolist()[-2:]
        [True, False]
    """
    chance, keys = np.asarray(chances, dtype=np.float64), np.asarray(order, dtype=np.float64)
    random = np.random.default_rng(seed)
    places = np.lexsort((random.random(len(chance)), keys))
    sums = np.concatenate([[0.0], np.cumsum(chance[places])]) + random.random()
    drawn = np.empty(len(chance), dtype=np.bool_)
    # Sums of certainties may miss a whole number by a rounding error, which would draw what cannot be.
    drawn[places] = (np.diff(np.floor(sums)) > 0) & (chance[places] > 0) | (chance[places] >= 1)
    return drawn


def corrected_outcomes(
    confidence: npt.ArrayLike,
    looks: Sequence[tuple[int, int]],
    rates: FlipRates,
    signals: Signals | None = None,
    seed: int = 0,
) -> BoolArray:
    """Draw outcomes to fit a calibrator on, which are right about as often as the answers are, and where they are.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n].
        looks: How many looks found each answer right, and how many wrong; n pairs.
        rates: How often looks are wrong.
        signals: Further numbers, by name; shape [n] each.
        seed: Seed of the draw.

    Returns:
        The outcomes; shape [n].
    """
    right, wrong = np.asarray(looks, dtype=np.float64).T
    chances, line = _chances(np.asarray(confidence, dtype=np.float64), right, wrong, rates, signals)
    return draw_outcomes(chances, line, seed)


def _chances(
    stated: FloatArray, right: FloatArray, wrong: FloatArray, rates: FlipRates, signals: Signals | None
) -> tuple[FloatArray, FloatArray]:
    """Compute the chances, and the logits that they had before the looks; shape [n] each."""
    outcomes = _seen(right, wrong, rates)
    values = [stated, *usable_signals(stated, signals or {}).values()]
    columns = [evidence(each, finest_clip(each)) for each in values]
    line = fit_ridge(columns, outcomes).line(columns)
    return np.asarray(expit(line + outcomes.difference), dtype=np.float64), line


def _seen(right: FloatArray, wrong: FloatArray, rates: FlipRates) -> SeenOutcomes:
    a, b = (max(each, _SMALLEST) for each in (rates.right_called_wrong, rates.wrong_called_right))
    return SeenOutcomes(right * np.log1p(-a) + wrong * np.log(a), right * np.log(b) + wrong * np.log1p(-b))
