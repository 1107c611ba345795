"""Run the test on many streams at once: false alarms where nothing is amiss, delays where something is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from benchmarks.drift.streams import Draw, Floats, Truth
from prompt4trust.metrics.proportions import exact_interval
from prompt4trust.monitoring import CALIBRATION, Wealth

Ints = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Streams in which nothing was amiss.

    Attributes:
        streams: How many.
        answers: Length of each.
        alarms: Those among them with an alarm.
        share: Their share,
        low, high: and its exact 95 % interval.
    """

    streams: int
    answers: int
    alarms: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Delays:
    """Streams that went wrong.

    Attributes:
        streams: How many.
        start: Answers before the shift.
        early: Streams with an alarm before the shift: false ones, which the next figures leave out.
        median: Answers from the shift to the alarm, the median,
        low, high: and its 95 % interval by order statistics.
        tenth, ninetieth: Further quantiles; None where a stream at that place was not found out in time.
        within: Share found within 600 answers.
    """

    streams: int
    start: int
    early: int
    median: float | None
    low: float | None
    high: float | None
    tenth: float | None
    ninetieth: float | None
    within: float


def first_crossings(
    confidence: Floats, correct: npt.NDArray[np.bool_], tolerance: float, alphas: Sequence[float]
) -> Ints:
    """Find at which answer (from 1) each stream's e-value first reaches 1 / alpha.

    Args:
        confidence: Shape [answers, streams].
        correct: The same shape.
        tolerance: Of the test.
        alphas: Levels.

    Returns:
        Numbers of answers, NEVER where it is not reached; shape [alphas, streams].
    """
    wealth = Wealth(CALIBRATION, confidence.shape[1:])
    found = np.full((len(alphas), confidence.shape[1]), NEVER, dtype=np.int64)
    limits = -np.log(np.asarray(alphas))[:, None]
    for p, right in zip(confidence, correct, strict=True):
        wealth.settle(CALIBRATION.log_payments(p, right, tolerance))
        found = np.where((found == NEVER) & (wealth.log_e >= limits), wealth.n, found)
    return found


def try_calibrated(
    draw: Draw,
    *,
    streams: int,
    answers: int,
    tolerance: float,
    off: float = 0.0,
    alphas: Sequence[float] = (0.05,),
    seed: int = 0,
) -> list[FalseAlarms]:
    """Count false alarms.

    Args:
        draw: Where confidences come from.
        streams: How many.
        answers: Length of each.
        tolerance: Of the test.
        off: Share of right answers less confidence; of an absolute value of at most the tolerance.
        alphas: Levels.
        seed: Of the draws.

    Returns:
        What was counted, by level.
    """
    rng = np.random.default_rng(seed)
    confidence = draw(rng, (answers, streams))
    right = rng.random(confidence.shape) < confidence + off
    return [_counted(crossed, answers) for crossed in first_crossings(confidence, right, tolerance, alphas)]


def try_shuffled(
    confidence: Floats,
    correct: npt.NDArray[np.bool_],
    *,
    streams: int,
    tolerance: float,
    alphas: Sequence[float] = (0.05,),
    seed: int = 0,
) -> list[FalseAlarms]:
    """Count alarms on real answers in random orders: no calibrator is exact, and the tolerance should cover that.

    The streams have the same answers: their number says how much the order matters, and nothing of other answers.

    Args:
        confidence: Calibrated confidences of answers that the calibrator was not fitted on; shape [n].
        correct: Whether each is right; shape [n].
        streams: How many orders.
        tolerance: Of the test.
        alphas: Levels.
        seed: Of the orders.

    Returns:
        What was counted, by level.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((len(confidence), streams)), axis=0)
    crossings = first_crossings(confidence[order], correct[order], tolerance, alphas)
    return [_counted(crossed, len(confidence)) for crossed in crossings]


def _counted(crossed: Ints, answers: int) -> FalseAlarms:
    streams, alarms = len(crossed), int((crossed <= answers).sum())
    return FalseAlarms(streams, answers, alarms, alarms / streams, *exact_interval(alarms, streams))


def try_shift(
    draw: Draw,
    truth: Truth,
    *,
    streams: int,
    start: int,
    answers: int,
    tolerance: float,
    alphas: Sequence[float] = (0.05,),
    seed: int = 0,
) -> list[Delays]:
    """Measure how soon a shift is found.

    Args:
        draw: Where confidences come from.
        truth: Probabilities of being right after the shift; before it they are the confidences.
        streams: How many.
        start: Answers before the shift.
        answers: Answers after it.
        tolerance: Of the test.
        alphas: Levels.
        seed: Of the draws.

    Returns:
        What was measured, by level.
    """
    rng = np.random.default_rng(seed)
    confidence = draw(rng, (start + answers, streams))
    chance = confidence.copy()
    chance[start:] = truth(confidence[start:], rng.random((answers, streams)))
    right = rng.random(confidence.shape) < chance
    return [_delays(crossed, start) for crossed in first_crossings(confidence, right, tolerance, alphas)]


def _delays(crossed: Ints, start: int) -> Delays:
    late = np.sort(crossed[crossed > start])
    delays = np.where(late == NEVER, np.inf, late - start).astype(np.float64)
    n = len(delays)
    # Ranks between which the median lies with 95 % probability, whatever the distribution.
    low, high = int(binom.ppf(0.025, n, 0.5)), int(binom.ppf(0.975, n, 0.5))
    at = (n // 2, max(low - 1, 0), min(high, n - 1), n // 10, min(9 * n // 10, n - 1))
    median, least, most, tenth, ninetieth = (float(each) if np.isfinite(each) else None for each in delays[list(at)])
    within = float((delays <= 600).mean())
    return Delays(len(crossed), start, len(crossed) - n, median, least, most, tenth, ninetieth, within)
