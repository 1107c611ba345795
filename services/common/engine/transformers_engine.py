"""The in-process engine: a model in a thread of its own, used from an event loop that it never blocks."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Self

from cachetools import LRUCache

from prompt4trust.models import Sampling
from services.common.engine.constraints.grammars import Grammar, compiling_thread
from services.common.engine.errors import (
    ContextOverflowError,
    DeadlineExceededError,
    EngineBusyError,
    EngineUnavailableError,
    InvalidRequestError,
)
from services.common.engine.interface import EngineStats, GenerationRequest, GenerationResult
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.options import ModelOptions
from services.common.engine.model.prompt import Prompt
from services.common.engine.scheduling.job_stream import JobStream, collect
from services.common.engine.scheduling.jobs import Event, Job
from services.common.engine.scheduling.scheduler import Scheduler
from services.common.engine.vision.family import Pixels
from services.common.engine.vision.picture_decoding import decode_in_pool
from services.common.pictures.pixel_task import decode_pixels
from services.common.pictures.pool import PicturePool, WorkerLimits

_GRACE_S = 1.0
"""Delay of the event loop in enforcing a deadline, behind the engine's thread: a step may take that long."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Limits of an engine, and how it runs its model.

    Attributes:
        max_waiting: Most samples that wait for a slot; more are refused.
        timeout_s: Time limit of a request that has none of its own.
        prefill_tokens: Most prompt tokens to read between two steps.
        patience_s: Seconds that a prompt waits, while others are being prepared, to be read together with them.
        threads: Of the model's arithmetic; 0 for torch's own choice (OMP_NUM_THREADS, else the physical cores).
        preparation_threads: For chat templates, tokens and patches.
        picture_workers: Processes that decode pictures, where the model sees.
        tie_tolerance: What two logits may differ by from rounding alone; None for what suits the weights:
            the adapter's for float32, off for shorter types, where near ties are too common to be settled one by one.
        drafts: Texts that are remembered, so that a greedy one that goes on like one of them is written several tokens
            at a time where no other is being written; see `scheduling.drafts`.
    """

    max_waiting: int = 256
    timeout_s: float = 120.0
    prefill_tokens: int = 4096
    patience_s: float = 0.05
    threads: int = 0
    preparation_threads: int = 2
    picture_workers: WorkerLimits = field(default_factory=WorkerLimits)
    tie_tolerance: float | None = None
    drafts: int = 0


class TransformersEngine:
    """Continues prompts with a Hugging Face model; use it as an async context manager, or call start and aclose.

    Args:
        adapter: The model.
        options: How to run it.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, adapter: TransformersAdapter, options: EngineOptions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._adapter = adapter
        self._options = options
        self._clock = clock
        self._load = 0
        self._latency_s = 1.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduler: Scheduler | None = None
        self._pool = ThreadPoolExecutor(options.preparation_threads, thread_name_prefix="engine-prepare")
        self._grammar_thread: ThreadPoolExecutor | None = None  # started when it is first needed
        self._pictures = PicturePool(decode_pixels, options.picture_workers)
        self._seen: LRUCache[bytes, Pixels] = LRUCache(adapter.prefix_bytes, getsizeof=lambda seen: seen.nbytes)

    @classmethod
    async def load(cls, model: ModelOptions, options: EngineOptions | None = None) -> TransformersEngine:
        """Load a model without blocking the event loop; the engine is not started yet.

        Raises:
            EngineError: If there is no model that the engine can run.
        """
        adapter = await asyncio.to_thread(TransformersAdapter.load, model)
        return cls(adapter, options or EngineOptions())

    async def start(self) -> None:
        """Start serving, in the event loop that runs now."""
        tolerance = self._options.tie_tolerance
        if tolerance is None:
            tolerance = self._adapter.tie_tolerance
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler(
            self._adapter,
            self._publish,
            clock=self._clock,
            tolerance=tolerance,
            prefill_tokens=self._options.prefill_tokens,
            patience_s=self._options.patience_s,
            threads=self._options.threads,
            drafts=self._options.drafts,
        )
        self._scheduler.start()
        if self.max_pictures:
            self._pictures.start()

    async def __aenter__(self) -> Self:
        """Start serving."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop serving."""
        await self.aclose()

    async def aclose(self) -> None:
        """Stop; requests that are not done fail."""
        if self._scheduler is not None:
            await asyncio.to_thread(self._scheduler.stop)
        await self._pictures.aclose()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        if self._grammar_thread is not None:
            await asyncio.to_thread(self._grammar_thread.shutdown, cancel_futures=True)

    @property
    def max_model_len(self) -> int:
        """Most tokens of prompt and completion together."""
        return self._adapter.max_model_len

    @property
    def max_pictures(self) -> int:
        """Most pictures in a request; 0 for a text-only model."""
        return self._adapter.prompts.max_pictures

    @property
    def picture_pids(self) -> frozenset[int]:
        """Process ids of the workers that decode pictures."""
        return self._pictures.pids

    @property
    def healthy(self) -> bool:
        """Whether requests are served."""
        return self._scheduler is not None and self._scheduler.alive

    @property
    def stats(self) -> EngineStats:
        """Counters and gauges."""
        return EngineStats() if self._scheduler is None else self._scheduler.stats

    async def submit(self, request: GenerationRequest) -> JobStream:
        """Check and queue a request.

        Args:
            request: What to generate.

        Returns:
            Its deltas, as they are generated.

        Raises:
            InvalidRequestError: If the request cannot be served as it is.
            EngineBusyError: If too many requests wait.
            DeadlineExceededError: If its time was up before it was ready to run.
            EngineUnavailableError: If the engine does not run.
        """
        return await self._submit(request, streaming=True)

    async def complete(self, request: GenerationRequest) -> GenerationResult:
        """Run a request to its end; raises what `submit` raises, at any time."""
        stream = await self._submit(request, streaming=False)
        try:
            return await collect(stream)
        finally:
            await stream.aclose()

    async def _submit(self, request: GenerationRequest, *, streaming: bool) -> JobStream:
        if self._scheduler is None or self._loop is None or not self.healthy:
            raise EngineUnavailableError("The model is not ready.")
        limit = self._adapter.slots + self._options.max_waiting
        if self._load + request.n > limit:
            if request.n > limit:
                raise InvalidRequestError(f"n must be at most {limit}.", param="n")
            raise EngineBusyError(min(30.0, max(1.0, self._latency_s)))
        if any(not 0 <= token < self._adapter.width for token, _ in request.penalties.bias):
            message = f"Invalid value for 'logit_bias': this model's tokens are 0 to {self._adapter.width - 1}."
            raise InvalidRequestError(message, param="logit_bias", code="invalid_value")
        allowed = request.timeout_s if request.timeout_s is not None else self._options.timeout_s
        deadline = self._clock() + allowed
        self._load += request.n
        try:
            async with asyncio.timeout(allowed):
                job = await self._job(self._loop, self._scheduler, request, deadline, streaming=streaming)
        except BaseException as error:
            self._load -= request.n
            if isinstance(error, TimeoutError):
                raise DeadlineExceededError from None
            raise
        stream = JobStream(job, self._loop, deadline - self._clock() + _GRACE_S, self._release)
        job.deliver = stream.take
        self._scheduler.submit(job)
        if not self._scheduler.alive:  # it may have ended between the check and now, and nobody reads its inbox
            stream.take(EngineUnavailableError("The model is shutting down."))
        return stream

    async def _job(
        self,
        loop: asyncio.AbstractEventLoop,
        scheduler: Scheduler,
        request: GenerationRequest,
        deadline: float,
        *,
        streaming: bool,
    ) -> Job:
        # First the grammar: neither a picture nor the other prompts should wait for one that turns out to be bad.
        grammar = await self._grammar(loop, request)
        scheduler.announce()
        try:
            prompt = await self._prepare(loop, request)
            return Job(request, prompt, self._completed(request, prompt), deadline, streaming, _ignore, grammar)
        except BaseException:
            scheduler.cancel()
            raise

    async def _grammar(self, loop: asyncio.AbstractEventLoop, request: GenerationRequest) -> Grammar | None:
        if request.constraint is None:
            return None
        if self._grammar_thread is None:
            self._grammar_thread = compiling_thread()
        return await loop.run_in_executor(self._grammar_thread, self._adapter.grammars.compile, request.constraint)

    async def _prepare(self, loop: asyncio.AbstractEventLoop, request: GenerationRequest) -> Prompt:
        prompts = self._adapter.prompts
        draft = await loop.run_in_executor(self._pool, prompts.draft, request.messages, request.pictures)
        if (known := self._seen.get(draft.digest)) is not None:
            return await loop.run_in_executor(self._pool, prompts.finish, draft, known)
        # Strangers' pictures: in processes that are killed with the request.
        pictures = await decode_in_pool(draft.pictures, prompts.limits, self._pictures, request.client)
        prompt = await loop.run_in_executor(self._pool, prompts.finish, draft, pictures)
        if prompt.pixels is not None and prompt.pixels.nbytes <= self._seen.maxsize:
            self._seen[prompt.pictures] = prompt.pixels
        return prompt

    def _completed(self, request: GenerationRequest, prompt: Prompt) -> Sampling:
        sampling = request.sampling
        room = self.max_model_len - len(prompt.tokens)
        if sampling.max_tokens is not None and sampling.max_tokens > room:
            raise ContextOverflowError(
                f"This model's maximum context length is {self.max_model_len} tokens; the messages have "
                f"{len(prompt.tokens)} and {sampling.max_tokens} are asked for in the completion."
            )
        return replace(
            sampling,
            max_tokens=room if sampling.max_tokens is None else sampling.max_tokens,
            seed=secrets.randbits(63) if sampling.seed is None else sampling.seed,
        )

    def _publish(self, events: Sequence[tuple[Job, Event]]) -> None:
        assert self._loop is not None  # noqa: S101 - set before the scheduler was made
        try:
            self._loop.call_soon_threadsafe(_deliver, events)
        except RuntimeError:  # the loop is closed: nobody waits any more
            for job, _ in events:
                job.withdrawn = True

    def _release(self, stream: JobStream, seconds: float) -> None:
        self._load -= stream.job.request.n
        self._latency_s += 0.1 * (seconds - self._latency_s)


def _deliver(events: Sequence[tuple[Job, Event]]) -> None:
    for job, event in events:
        job.deliver(event)


def _ignore(_: Event) -> None:
    """Stand in until the request has somebody who waits."""
