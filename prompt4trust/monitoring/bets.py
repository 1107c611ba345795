"""Bets against calibration: each gains where confidence is off in one way; none is expected to gain where it holds.

A bet looks at the border of what is tolerated: where it says that answers are right less often than stated, the least
share of right answers that is still tolerated is m = p - tolerance. It claims that the odds of being right are e^b
times those of m, with b < 0, and is paid the ratio of the two probabilities of what came true. Where answers are right
as often as stated, or anything that is tolerated, a bet's expected payment for 1 is at most 1, whatever came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from prompt4trust.metrics.tally import FloatArray

Direction = Literal["overconfident", "underconfident", "too extreme", "too timid"]
_MIDDLE = 0.5


@dataclass(frozen=True, slots=True)
class Bet:
    """One way in which confidence may be off.

    Attributes:
        direction: overconfident, underconfident: right less, more often than stated; too extreme, too timid: stated too
            far from, too near to one half.
        low: It bets on answers with at least this confidence,
        high: and below this one (on 1 as well where this is 1).
        shift: Logarithm of what the odds are multiplied by; 0 for the two directions that turn the slope.
        slope: Factor of the log odds; 1 for the two directions that shift.
        weight: Share of the money that it is given, in (0, 1).

    Example:
        >>> Bet("overconfident", 0.8, 1.0, shift=-0.5, slope=1.0, weight=0.1).region
        '0.8 and above'
    """

    direction: Direction
    low: float
    high: float
    shift: float
    slope: float
    weight: float

    @property
    def region(self) -> str:
        """The confidences that it bets on, in words."""
        if self.low <= 0 and self.high >= 1:
            return "everywhere"
        if self.low <= 0:
            return f"below {self.high:g}"
        return f"{self.low:g} and above" if self.high >= 1 else f"{self.low:g} to {self.high:g}"


class Bets:
    """A fixed table of bets, computed for many answers at once.

    Args:
        name: Name and version: states of a test belong to it.
        bets: The bets, with weights that sum to 1.

    Raises:
        ValueError: If the weights do not.
    """

    def __init__(self, name: str, bets: Sequence[Bet]) -> None:
        self.name = name
        self.bets = tuple(bets)
        weights = np.array([bet.weight for bet in bets])
        if not (len(weights) and (weights > 0).all() and abs(float(weights.sum()) - 1) < 1e-9):
            raise ValueError("the weights of bets must be positive and sum to 1")
        self.log_weights: FloatArray = np.log(weights)
        self._low = np.array([bet.low for bet in bets])
        # A confidence of 1 belongs to the topmost region.
        self._high = np.array([np.inf if bet.high >= 1 else bet.high for bet in bets])
        self._shift = np.array([bet.shift for bet in bets])
        self._turn = np.array([bet.slope - 1 for bet in bets])

    def __len__(self) -> int:
        return len(self.bets)

    def log_payments(self, confidence: npt.ArrayLike, correct: npt.ArrayLike, tolerance: float) -> FloatArray:
        """Compute what each bet is paid for 1 on each answer, as a logarithm; 0 where it does not bet.

        Args:
            confidence: Confidences in [0, 1]; any shape [...].
            correct: Whether each answer is right; the same shape.
            tolerance: Largest distance between confidence and share of right answers that is overlooked, in [0, 1).

        Returns:
            The logarithms; shape [..., bets].
        """
        stated = np.asarray(confidence, dtype=np.float64)[..., None]
        right = np.asarray(correct, dtype=np.bool_)[..., None]
        turns = self._turn != 0
        # A slope below 1 is towards one half: down from confidences above it, up from those below it.
        down = np.where(turns, (stated >= _MIDDLE) == (self._turn < 0), self._shift < 0)
        border = stated + np.where(down, -tolerance, tolerance)
        inside = (stated >= self._low) & (stated < self._high) & np.where(down, border > 0, border < 1)
        border = np.clip(border, 0.0, 1.0)
        # Turned only while the border is on its confidence's side of one half: beyond it the claim would be tolerated.
        turned = turns & (border > 0) & (border < 1) & ((border >= _MIDDLE) == (stated >= _MIDDLE))
        claim = self._shift + self._turn * logit(np.where(turned, border, _MIDDLE))
        payment = np.where(right, claim, 0.0) - np.log((1 - border) + border * np.exp(claim))
        return np.asarray(np.where(inside, payment, 0.0), dtype=np.float64)

    def counts(self, confidence: float) -> npt.NDArray[np.bool_]:
        """Mark the bets whose claim an answer of this confidence bears on; shape [bets]."""
        low = np.where(self._turn != 0, np.maximum(self._low, _MIDDLE), self._low)
        return np.asarray((confidence >= low) & (confidence < self._high), dtype=np.bool_)


def _calibration() -> list[Bet]:
    regions = ((0.0, 1.0, (0.4, 0.9), 0.4), (0.0, 0.5, (0.5, 1.2), 0.1), (0.5, 0.8, (0.5, 1.2), 0.1),
               (0.8, 1.0, (0.5, 1.2), 0.2))  # fmt: skip
    found = []
    for low, high, stakes, weight in regions:
        share = weight / len(stakes) / 2
        for stake in stakes:
            found.append(Bet("overconfident", low, high, -stake, 1.0, share))
            found.append(Bet("underconfident", low, high, stake, 1.0, share))
    for slope, weight in ((0.6, 0.1), (0.3, 0.05), (1.7, 0.05)):
        found.append(Bet("too extreme" if slope < 1 else "too timid", 0.0, 1.0, 0.0, slope, weight))
    return found


CALIBRATION = Bets("calibration@1", _calibration())
"""Against calibrated confidence: too high or too low everywhere or in a region, too steep, too flat."""

_TOO_HIGH = [bet for bet in CALIBRATION.bets if bet.direction == "overconfident"]
OVERCONFIDENCE = Bets(
    "overconfidence@1", [replace(bet, weight=bet.weight / sum(each.weight for each in _TOO_HIGH)) for bet in _TOO_HIGH]
)
"""Against calibrated confidence that is a lower bound: too high, everywhere or in a region; that more is right is no
fault of it."""

PROMISE = Bets("promise@1", [Bet("overconfident", 0.0, 1.0, -stake, 1.0, 1 / 3) for stake in (0.3, 0.7, 1.4)])
"""Against a promised share of right answers among those given: it is only broken from below."""
