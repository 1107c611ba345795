"""A model whose server may refuse log-probabilities: then it is asked without them, for a while at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from prompt4trust.models import Downstream, Generation, Sampling
from prompt4trust.prompts import Message
from services.common.clients.errors import LogprobsRefusedError

WITHOUT_LOGPROBS: Mapping[str, str] = {"cgp+logprob": "cgp"}
"""Estimator -> the one that asks the very same and uses no log-probabilities, for when none come back."""

_log = structlog.get_logger(__name__)


class TolerantDownstream:
    """Asks without log-probabilities where they are refused; implements the Downstream protocol.

    The reply's completions then carry none, as with a server that ignores the wish. What was refused is not asked for
    again until a pause is over, so that not every question costs two requests.

    Args:
        downstream: The model.
        pause_s: That pause, in seconds.
        refused: Called at each refusal.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        downstream: Downstream,
        pause_s: float,
        refused: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._downstream = downstream
        self._pause_s = pause_s
        self._refused = refused
        self._clock = clock
        self._without_until = 0.0

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions of one prompt (see Downstream)."""
        if top_logprobs is None or self._clock() < self._without_until:
            return await self._downstream.complete(messages, sampling, n=n)
        try:
            return await self._downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
        except LogprobsRefusedError as error:
            self._refused()
            refused = error.detail
        generation = await self._downstream.complete(messages, sampling, n=n)
        # Only now: an error that quoted a question with that word in it would else count as a refusal.
        self._without_until = self._clock() + self._pause_s
        _log.warning("asking without log-probabilities", reason=refused, seconds=self._pause_s)
        return generation
