"""Wrappers of a downstream model for runs with many estimators: replies shared, samples bounded."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import astuple

import anyio

from prompt4trust.models import Downstream, Generation, Sampling
from prompt4trust.prompts import Message


class SharedReplies:
    """A downstream model that answers the same request once, so that estimators share the samples that they draw.

    `Consistency`, `AvgConf` and `EntropySpread` ask for the same seeded block of samples of a question, `Verbalized`
    and `Perturbation` for the same reply to the clean picture. Only requests that are bound to give the same reply are
    shared: greedy ones and those with a seed; not log-probabilities, which are large and which one estimator asks for.
    The shared reply carries its full cost each time: an answer's cost is what its estimator takes by itself, whatever
    else a run compares it with.

    Args:
        downstream: The model that answers; implements the Downstream protocol, as this does.
        remembered: Requests whose replies are kept, the oldest forgotten first: a little more than are in flight at
            once, since a run puts one question to all its estimators before it goes on.
    """

    def __init__(self, downstream: Downstream, remembered: int = 1024) -> None:
        self._downstream = downstream
        self._remembered = remembered
        self._replies: OrderedDict[str, Generation] = OrderedDict()

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions; see `Downstream`."""
        if top_logprobs is not None or (sampling.temperature > 0 and sampling.seed is None):
            return await self._downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
        asked = json.dumps([list(messages), astuple(sampling), n])
        key = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
        if key not in self._replies:
            generation = await self._downstream.complete(messages, sampling, n=n)
            self._replies[key] = generation
            while len(self._replies) > self._remembered:
                self._replies.popitem(last=False)
            return generation
        return self._replies[key]


class BoundedSamples:
    """A downstream model with a bound on the samples in flight, since a server's queue counts samples.

    Args:
        downstream: The model that answers; implements the Downstream protocol, as this does.
        most: Most samples in flight; a single request for more waits until it is alone.
    """

    def __init__(self, downstream: Downstream, most: int) -> None:
        self._downstream = downstream
        self._most = most
        self._free = anyio.Semaphore(most)
        self._turn = anyio.Lock()

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions once there is room; see `Downstream`."""
        wanted, held = min(n, self._most), 0
        try:
            async with self._turn:  # one request gathers at a time, so that two never wait for each other's half
                while held < wanted:
                    await self._free.acquire()
                    held += 1
            return await self._downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
        finally:
            for _ in range(held):
                self._free.release()
