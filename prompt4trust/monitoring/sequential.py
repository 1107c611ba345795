"""Anytime-valid test of calibration: it may be looked at after every answer, and seldom raises a false alarm.

Testing by betting. 1 is divided among bets (`prompt4trust.monitoring.bets`) and, for each bet, among the answers at
which it may begin, since nobody knows when confidence will go wrong. What has begun is multiplied by its payments; what
has not is kept. While confidence holds, the sum E is a nonnegative supermartingale that begins at 1, so by Ville's
inequality it ever reaches 1 / alpha with probability at most alpha, over the whole endless stream.

That payments of a bet do not depend on when it began lets all its beginnings share one number, S: after each answer
S <- S * payment + what begins now. So memory and work an answer are those of the bets alone, however long the stream.

Sources: Ville, "Etude critique de la notion de collectif", 1939; Shafer, "Testing by betting", JRSS A 184, 2021;
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86, 2024; Arnold, Henzi and
Ziegel, "Sequentially valid tests for forecast calibration", Annals of Applied Statistics 17, 2023; Shin, Ramdas and
Rinaldo, "E-detectors", New England Journal of Statistics in Data Science 2, 2024 (beginnings at every time; there their
weights do not sum to 1, and false alarms are bounded in frequency, not in probability).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.errors import StateError
from prompt4trust.metrics.tally import FloatArray, check_rows
from prompt4trust.monitoring.bets import CALIBRATION, OVERCONFIDENCE, PROMISE, Bets, Direction
from prompt4trust.monitoring.wealth import Wealth

_FORMAT = 1
_TABLES = {table.name: table for table in (CALIBRATION, OVERCONFIDENCE, PROMISE)}


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """The direction and region in which confidence is off, by the bets that gained most.

    Attributes:
        direction: In which way confidence is off.
        region: At which confidences, in words.
        since: Number of the answer (from 1) from which on the evidence has gathered; an estimate.
        n: Answers since then that show it: those of the region; for "too extreme" and "too timid" those stated at one
            half or more.
        stated: Their mean confidence.
        right: Their share of right answers.
    """

    direction: Direction
    region: str
    since: int
    n: int
    stated: float
    right: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """The first time that the e-value reached 1 / alpha.

    Attributes:
        answer: Number of the answer (from 1) at which it did.
        finding: The finding at that time.
    """

    answer: int
    finding: DriftFinding | None


class SequentialTest:
    """A test of calibration that may be looked at after every answer.

    What is tested: for every answer, given its confidence p and all answers before it, the probability that it is right
    is within `tolerance` of p (for the bets of `OVERCONFIDENCE` and `PROMISE`: is at least p, less `tolerance`).

    Args:
        alpha: Probability in (0, 1) with which an alarm may ever be raised while that is so.
        tolerance: Deviation that is overlooked, in [0, 0.5): a fitted calibrator is never exact.
        bets: The bets.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> test = SequentialTest(alpha=0.05)
        >>> test.update([0.7] * 100, [True, False, False, True, False] * 20)  # stated 0.7, right 0.4
        >>> test.alarm.answer, test.finding().direction
        (35, 'overconfident')
        >>> again = SequentialTest.restore(test.state())
        >>> again.log_e == test.log_e
        True
    """

    def __init__(self, alpha: float = 0.05, tolerance: float = 0.02, bets: Bets = CALIBRATION) -> None:
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must be in (0, 1), not {alpha}")
        if not 0 <= tolerance < 0.5:
            raise ValueError(f"tolerance must be in [0, 0.5), not {tolerance}")
        self.alpha = alpha
        self.tolerance = tolerance
        self.bets = bets
        self._wealth = Wealth(bets)
        self._alarm: Crossing | None = None
        self._log_peak = 0.0
        self._recent = _Recent.new(len(bets))

    @property
    def n(self) -> int:
        """Answers seen."""
        return self._wealth.n

    @property
    def log_e(self) -> float:
        """Natural logarithm of the e-value: the evidence now. 1 / e-value is a p-value that may be read at any time."""
        return float(self._wealth.log_e)

    @property
    def log_peak(self) -> float:
        """Largest logarithm of the e-value so far, at least 0."""
        return self._log_peak

    @property
    def alarm(self) -> Crossing | None:
        """The time at which the e-value first reached 1 / alpha; None before. It stays, whatever comes later."""
        return self._alarm

    def update(self, confidence: npt.ArrayLike, correct: npt.ArrayLike) -> None:
        """Take in more answers, in the order in which their truth became known.

        Args:
            confidence: Confidences in [0, 1], each stated before its truth was known; shape [n].
            correct: Whether each answer is right; shape [n].

        Raises:
            ValueError: If the rows are not as described; nothing has been seen then.
        """
        if np.size(confidence) == 0 and np.size(correct) == 0:
            return
        stated, right = check_rows(confidence, correct)
        payments = self.bets.log_payments(stated, right, self.tolerance)
        for row, paid in enumerate(payments):
            self._recent.settle(self._wealth.n, paid, self.bets.counts(float(stated[row])), stated[row], right[row])
            self._wealth.settle(paid)
            evidence = self.log_e
            self._log_peak = max(self._log_peak, evidence)
            if self._alarm is None and evidence >= -np.log(self.alpha):
                self._alarm = Crossing(self._wealth.n, self.finding())

    def finding(self) -> DriftFinding | None:
        """Summarise the evidence: the direction and region whose bets have gained most.

        Returns:
            The finding, or None where no bet has won lately.
        """
        money = np.exp(self._wealth.log_each + self.bets.log_weights - np.max(self._wealth.log_each))
        kinds: dict[tuple[Direction, str], list[int]] = {}
        for place, bet in enumerate(self.bets.bets):
            kinds.setdefault((bet.direction, bet.region), []).append(place)
        places = max(kinds.values(), key=lambda alike: float(money[alike].sum()))
        best = max(places, key=lambda place: float(self._recent.log_gain[place]))
        n = int(self._recent.n[best])
        if self._recent.log_gain[best] <= 0 or n == 0:
            return None
        return DriftFinding(
            direction=self.bets.bets[best].direction,
            region=self.bets.bets[best].region,
            since=int(self._recent.began[best]) + 1,
            n=n,
            stated=float(self._recent.stated[best]) / n,
            right=float(self._recent.right[best]) / n,
        )

    def state(self) -> dict[str, Any]:
        """Return everything that the test knows, exactly, as JSON values."""
        return {
            "format": _FORMAT,
            "bets": self.bets.name,
            "alpha": self.alpha,
            "tolerance": self.tolerance,
            "n": self._wealth.n,
            "log_each": self._wealth.log_each.tolist(),
            "alarm": None if self._alarm is None else asdict(self._alarm),
            "log_peak": self._log_peak,
            "recent": self._recent.as_json(),
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Make a test that goes on where another one was.

        Args:
            state: A result of `state`.

        Raises:
            StateError: If it is not such a state.
        """
        try:
            if state["format"] != _FORMAT:
                raise StateError(f"states of format {state['format']} are not read")
            bets = _TABLES[state["bets"]]
            test = cls(float(state["alpha"]), float(state["tolerance"]), bets)
            test._wealth.n = int(state["n"])
            test._wealth.log_each = _vector(state["log_each"], len(bets))
            test._alarm = None if state["alarm"] is None else _crossing(state["alarm"])
            test._log_peak = float(state["log_peak"])
            test._recent = _Recent(**{name: _vector(state["recent"][name], len(bets)) for name in _Recent.__slots__})
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"not a state of a sequential test: {error}") from error
        return test


@dataclass(slots=True)
class _Recent:
    """For the finding only: each bet's best stretch up to now (Page's cumulative sum), and what was seen in it."""

    log_gain: FloatArray
    began: FloatArray
    n: FloatArray
    stated: FloatArray
    right: FloatArray

    @classmethod
    def new(cls, bets: int) -> Self:
        return cls(*(np.zeros(bets) for _ in cls.__slots__))

    def settle(self, before: int, paid: FloatArray, counted: npt.NDArray[np.bool_], stated: float, right: bool) -> None:
        lost = self.log_gain <= 0
        self.began[lost] = before
        for total in (self.log_gain, self.n, self.stated, self.right):
            total[lost] = 0.0
        self.log_gain += paid
        self.n += counted
        self.stated += counted * stated
        self.right += counted * right

    def as_json(self) -> dict[str, list[float]]:
        return {name: getattr(self, name).tolist() for name in self.__slots__}


def _crossing(saved: Mapping[str, Any]) -> Crossing:
    found = saved["finding"]
    return Crossing(int(saved["answer"]), None if found is None else DriftFinding(**found))


def _vector(values: object, length: int) -> FloatArray:
    vector = np.array(values, dtype=np.float64)
    if vector.shape != (length,) or not np.isfinite(vector).all():
        raise ValueError(f"there must be {length} finite numbers")
    return vector
