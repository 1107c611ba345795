"""The money of bets that begin at different times, which is the evidence of a sequential test."""

from __future__ import annotations

import numpy as np

from prompt4trust.metrics.tally import FloatArray
from prompt4trust.monitoring.bets import Bets

SCALE = 1000
"""Half of the money begins at once; half of the rest has begun after so many answers, 3/4 after three times as many."""


class Wealth:
    """The money of the bets, in one stream or many at once.

    Args:
        bets: The bets.
        streams: Shape of the streams; () for one.

    Attributes:
        n: Answers settled.
        log_each: Logarithm of what each bet has for 1 given to it, without what has not begun; shape [*streams, bets].
    """

    def __init__(self, bets: Bets, streams: tuple[int, ...] = ()) -> None:
        self.n = 0
        self.log_each: FloatArray = np.full((*streams, len(bets)), np.log(0.5))
        self._log_weights = bets.log_weights

    def settle(self, log_payments: FloatArray) -> None:
        """Pay for one answer a stream.

        Args:
            log_payments: Payment of each bet for 1, as a logarithm; shape [*streams, bets].
        """
        self.n += 1
        # 1/2 * SCALE / (n + SCALE) has not begun after n answers.
        begins = 0.5 * SCALE / ((self.n + SCALE - 1.0) * (self.n + SCALE))
        self.log_each = np.logaddexp(self.log_each + log_payments, np.log(begins))

    @property
    def log_e(self) -> FloatArray:
        """Logarithm of all the money, that which has not begun included; shape [*streams]."""
        begun = np.logaddexp.reduce(self.log_each + self._log_weights, axis=-1)
        return np.asarray(np.logaddexp(begun, np.log(0.5 * SCALE / (self.n + SCALE))), dtype=np.float64)
