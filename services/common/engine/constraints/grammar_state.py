"""A text's place in its grammar, and the masks of logits that follow from it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import structlog
import torch
from llguidance import LLMatcher
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from numpy.typing import NDArray

_log = structlog.get_logger(__name__)

_MOST_SECONDS: Final = 5.0
"""The most that a text's masks may take. Usual ones take 0.1 ms each; one text must not hold up the whole batch."""


class GrammarState:
    """A text's place in its grammar.

    Args:
        matcher: At the beginning of a text; it is this text's own.
        words: How many tokens it knows.

    Attributes:
        words: How many tokens the grammar knows.
        trouble: Why the text cannot go on; None while it can.
    """

    def __init__(self, matcher: LLMatcher, words: int) -> None:
        self._matcher = matcher
        self.words = words
        self._seconds = 0.0
        self.trouble: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the text has its form and nothing may follow."""
        return self.trouble is None and self._matcher.is_stopped()

    def fill(self, masks: NDArray[np.int32], row: int) -> None:
        """Write which tokens may come next, a bit each; all may where there is trouble.

        Args:
            masks: [rows, vocabulary / 32], rounded up.
            row: Which one to write.
        """
        before = time.perf_counter()
        try:
            fill_next_token_bitmask(self._matcher, masks, row)
        except BaseException as error:  # a panic in Rust is no Exception, and must not end the engine's thread
            _log.exception("a grammar failed", error=type(error).__name__)
            self.trouble = "it failed"
        self._seconds += time.perf_counter() - before
        if self._matcher.is_error():
            self.trouble = "it became too complex"
        elif self._seconds > _MOST_SECONDS:
            self.trouble = "it takes too long"
        elif not masks[row].any():
            self.trouble = "this model has no token that could follow"
        if self.trouble is not None:
            masks[row] = -1

    def take(self, token: int) -> None:
        """Take the token that was chosen."""
        if self.trouble is None and not self._matcher.consume_token(token):
            self.trouble = "it became too complex"


def mask_logits(logits: torch.Tensor, states: Sequence[tuple[int, GrammarState]]) -> None:
    """Leave only those tokens that the texts' grammars allow; the logits of others become -inf, in place.

    Args:
        logits: float32 [batch, vocabulary].
        states: Rows that have a grammar, with the places in them; all of one model, at least one.
    """
    masks = allocate_token_bitmask(len(states), states[0][1].words)
    for number, (_, state) in enumerate(states):
        state.fill(masks, number)
    width = logits.shape[-1]
    bits = np.unpackbits(masks.view(np.uint8), axis=1, bitorder="little")[:, :width]
    forbidden = np.ones((len(states), width), dtype=bool)
    forbidden[:, : bits.shape[1]] = bits == 0
    rows = torch.tensor([row for row, _ in states], device=logits.device)
    logits[rows] = logits[rows].masked_fill(torch.from_numpy(forbidden).to(logits.device), -torch.inf)
