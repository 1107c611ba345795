"""The deltas of a request in flight, handed from the engine's thread to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from services.common.engine.errors import DeadlineExceededError, EngineError
from services.common.engine.interface import Delta, FinishedSample, GenerationResult, TokenLogprob, Usage
from services.common.engine.scheduling.jobs import Event, Job


class JobStream:
    """A job's deltas in the event loop, and the end of the job for whatever reason.

    Args:
        job: The request.
        loop: The event loop.
        patience_s: Seconds after which to fail even if the engine's thread is stuck.
        on_end: Called once, with the seconds that it took, when the request is over for whatever reason.
    """

    def __init__(
        self,
        job: Job,
        loop: asyncio.AbstractEventLoop,
        patience_s: float,
        on_end: Callable[[JobStream, float], None],
    ) -> None:
        self.job = job
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._unread = self._unfinished = job.request.n
        self._on_end = on_end
        self._ended = False
        self._loop = loop
        self._began = loop.time()
        self._timer = loop.call_later(max(0.0, patience_s), self.take, DeadlineExceededError())

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, pictures included."""
        return len(self.job.prompt.tokens)

    def take(self, event: Event) -> None:
        """Take an event from the engine.

        The request is over with its last event, read or not: a reader that never comes must not hold its place.
        """
        self._events.put_nowait(event)
        if isinstance(event, EngineError):
            self._end()
        elif event.finish_reason is not None:
            self._unfinished -= 1
            if not self._unfinished:
                self._end()

    async def __aiter__(self) -> AsyncIterator[Delta]:
        """Yield deltas; raise EngineError if the request fails."""
        try:
            while self._unread:
                event = await self._events.get()
                if isinstance(event, EngineError):
                    raise event
                self._unread -= event.finish_reason is not None
                yield event
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Withdraw the request if it is not done; doing so again changes nothing."""
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self.job.withdrawn = True
            self._timer.cancel()
            self._on_end(self, self._loop.time() - self._began)


async def collect(stream: JobStream) -> GenerationResult:
    """Gather a request's samples.

    Raises:
        EngineError: If it fails.
    """
    texts: dict[int, list[str]] = {}
    logprobs: dict[int, list[TokenLogprob]] = {}
    ends: dict[int, Delta] = {}
    async for delta in stream:
        texts.setdefault(delta.index, []).append(delta.text)
        logprobs.setdefault(delta.index, []).extend(delta.logprobs)
        if delta.finish_reason is not None:
            ends[delta.index] = delta
    samples = tuple(
        FinishedSample(
            index, "".join(texts[index]), end.finish_reason or "stop", end.completion_tokens, tuple(logprobs[index])
        )
        for index, end in sorted(ends.items())
    )
    return GenerationResult(samples, Usage(stream.prompt_tokens, sum(each.completion_tokens for each in samples)))
