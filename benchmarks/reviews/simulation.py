"""Answers, reviewers who err and a calibrator before, drawn; a refit as the command does it; its worth on the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from prompt4trust.calibration import Platt
from prompt4trust.metrics.tally import BoolArray, FloatArray
from prompt4trust.reviewing import (
    Acceptance,
    FlipRates,
    RateEstimate,
    box,
    compare,
    corrected_outcomes,
    estimate_rates,
    held_out,
)

BOUND = 0.2
SLOPE, SHIFT = 0.8, -0.3


@dataclass(frozen=True)
class Refit:
    """A refit on drawn reviews: its Brier score less the old calibrator's, on 4,000 answers whose truth is known."""

    estimate: RateEstimate | None
    accepted: Acceptance
    unguarded: float

    @property
    def difference(self) -> float:
        """The same with the guard: 0 where the refit is refused."""
        return self.unguarded if self.accepted.passes else 0.0


def looked_at(
    truth: BoolArray, rates: FlipRates, twice: float, random: np.random.Generator
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """One look at each answer, and a second at a share of them: how many found it right, and how many wrong."""
    right, wrong = np.zeros(len(truth), dtype=int), np.zeros(len(truth), dtype=int)
    for share in (1.0, twice):
        seen = random.random(len(truth)) < share
        flip = np.where(truth, rates.right_called_wrong, rates.wrong_called_right)
        said = truth ^ (random.random(len(truth)) < flip)
        right, wrong = right + (seen & said), wrong + (seen & ~said)
    return right, wrong


def refit(seed: int, rates: FlipRates, *, drift: float, twice: float, n: int = 400) -> Refit:
    """Refit Platt's calibrator on reviews of n answers whose logits have fallen by `drift` since the one before."""
    random = np.random.default_rng(seed)
    stated: FloatArray = np.round(expit(random.normal(1.5, 1.2, n + 4000)), 3).clip(0.005, 0.995)
    line = SLOPE * logit(stated) + SHIFT
    truth, old = random.random(len(stated)) < expit(line - drift), expit(line)
    right, wrong = looked_at(truth[:n], rates, twice, random)
    estimate = estimate_rates(right, wrong, old[:n])
    if estimate is None:  # the first word is all that there is, or nearly
        right, wrong = (right > 0).astype(int), (right == 0).astype(int)

    def outcomes(places: npt.NDArray[np.intp]) -> BoolArray:
        if estimate is None:
            return np.asarray(right[places] > 0)
        looks = list(zip(right[places].tolist(), wrong[places].tolist(), strict=True))
        return corrected_outcomes(stated[places], looks, estimate.rates, seed=seed)

    region = box(BOUND, BOUND) if estimate is None else estimate.region
    accepted = compare(held_out("platt", stated[:n], outcomes), old[:n], right, wrong, region)
    new = Platt.fit(stated[:n], outcomes(np.arange(n))).apply(stated[n:])
    before, after = (float(np.mean(np.square(each - truth[n:]))) for each in (old[n:], new))
    return Refit(estimate, accepted, after - before)
