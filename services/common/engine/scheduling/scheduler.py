"""The engine's one thread: requests join the running batch between steps and leave it when they are done."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

import structlog
import torch

from services.common.engine.errors import DeadlineExceededError, EngineError, EngineUnavailableError
from services.common.engine.interface import Delta, EngineStats
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.prompt import Prompt
from services.common.engine.scheduling.batch import Chosen, RunningBatch
from services.common.engine.scheduling.drafts import Drafts
from services.common.engine.scheduling.jobs import Event, Job, RunningSample

_log = structlog.get_logger(__name__)
_STOP: Final = object()
_CANCELLED: Final = object()
"""Put in a job's place when it will not come after all."""

Publish = Callable[[Sequence[tuple[Job, Event]]], None]


class Scheduler:
    """Runs a model for many requests at once (iteration-level batching, Yu et al., OSDI 2022).

    Args:
        adapter: The model; only this scheduler's thread runs it.
        publish: Takes a step's events; called in the scheduler's thread, must not block.
        clock: Seconds, monotonic.
        tolerance: What two logits may differ by from rounding alone; 0 lets rounding decide near ties.
        prefill_tokens: Most prompt tokens, padding included, to read between two steps; one prompt always is.
        patience_s: Seconds that a prompt waits for others that are on their way, to be read with them.
        threads: Of the model's arithmetic; 0 for torch's own choice.
        drafts: Texts that are remembered, so that one like them takes fewer passes where it is written alone.
    """

    def __init__(
        self,
        adapter: TransformersAdapter,
        publish: Publish,
        *,
        clock: Callable[[], float],
        tolerance: float,
        prefill_tokens: int,
        patience_s: float = 0.0,
        threads: int = 0,
        drafts: int = 0,
    ) -> None:
        self._adapter = adapter
        self._drafts = Drafts(drafts)
        self._publish = publish
        self._clock = clock
        self._prefill_tokens = prefill_tokens
        self._patience_s = patience_s
        self._threads = threads
        self._inbox: SimpleQueue[Job | object] = SimpleQueue()
        self._announced = 0  # written by those who submit, in one thread
        self._arrived = 0
        self._patient_until: float | None = None
        self._waiting: deque[Job] = deque()
        self._batch = RunningBatch(adapter, tolerance)
        self._events: list[tuple[Job, Event]] = []
        self._stopping = False
        self._steps = self._prompt_tokens = self._completion_tokens = 0
        self._stats = EngineStats()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; requests that are not done fail. Waits for the running step."""
        self._inbox.put(_STOP)
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether requests are served."""
        return self._thread.is_alive() and not self._stopping

    @property
    def stats(self) -> EngineStats:
        """Counters as of the last step."""
        return self._stats

    def announce(self) -> None:
        """Count a request that is being prepared: `submit` or `cancel` will follow. From one thread, as these are."""
        self._announced += 1

    def submit(self, job: Job) -> None:
        """Queue a request that was announced; its events are published."""
        self._inbox.put(job)

    def cancel(self) -> None:
        """Take back the announcement of a request that will not come."""
        self._inbox.put(_CANCELLED)

    def _run(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                while self._collect():
                    self._round()
                    self._flush()
                    self._gauge()
        except Exception:
            _log.exception("the engine's thread ended")
            raise
        finally:
            self._stopping = True
            self._end()

    def _collect(self) -> bool:
        """Take in what has arrived; wait for it if there is nothing else to do. False to stop."""
        idle = not self._batch.samples
        while True:
            patience = self._patience()
            wait = idle and (patience > 0 or not self._waiting)
            if wait:
                self._gauge()
            try:
                item = self._inbox.get(block=wait, timeout=patience or None)
            except Empty:
                return True
            if item is _STOP:
                return False
            self._arrived += 1
            if isinstance(item, Job):
                self._waiting.append(item)

    def _patience(self) -> float:
        """Compute for how many more seconds the waiting prompts should wait for others; 0 when they should be read.

        Reading prompts together takes far less time than one after the other, and a model that runs beside their
        preparation slows it down. What runs goes on; if nothing does, the thread sleeps.
        """
        if not self._waiting or self._arrived == self._announced:
            self._patient_until = None
            return 0.0
        if self._patient_until is None:
            self._patient_until = self._clock() + self._patience_s
        if len(self._waiting) >= self._batch.room:
            return 0.0
        return max(0.0, self._patient_until - self._clock())

    def _round(self) -> None:
        self._purge()
        self._admit()
        if self._batch.samples:
            draft = self._draft()
            try:
                if draft:
                    for chosen in self._batch.leap(draft):
                        self._advance([chosen], first=0)
                else:
                    self._advance(self._batch.step(), first=0)
            except Exception as error:
                _log.exception("a step failed")
                self._fail_running(error)
                return
            self._steps += 1

    def _draft(self) -> Sequence[int]:
        """Find how the only running sample may go on; nothing of one that is more than greedy text, or of several."""
        if len(self._batch.samples) != 1 or not len(self._drafts) or not self._adapter.steps_along:
            return ()
        sample = self._batch.samples[0]
        job = sample.job
        if job.sampling.temperature > 0 or sample.grammar or sample.penalties or job.request.logprobs is not None:
            return ()
        left = (job.sampling.max_tokens or 0) - len(sample.tokens) - 1
        return self._drafts.propose(job.prompt.tokens, sample.tokens)[: max(0, left)]

    def _purge(self) -> None:
        """Drop requests whose time is up and those that nobody waits for."""
        now = self._clock()
        for job in {id(j): j for j in (*self._waiting, *(s.job for s in self._batch.samples))}.values():
            if not job.over and now > job.deadline:
                self._fail(job, DeadlineExceededError())
        if any(job.over for job in self._waiting):
            self._waiting = deque(job for job in self._waiting if not job.over)
        self._batch.leave([slot for slot, sample in enumerate(self._batch.samples) if sample.job.over])

    def _admit(self) -> None:
        """Read waiting prompts, as many as there is room for."""
        if self._patience() > 0:
            return
        picked: list[tuple[Prompt, list[RunningSample]]] = []
        room, longest = self._batch.room, 0
        pictures: set[bytes] = set()
        put_off: list[Job] = []
        while self._waiting and room:
            job = self._waiting[0]
            if job.prompt.pictures in pictures and self._adapter.prefixes.find(job.prompt) is None:
                # Its pictures are being read just now: in the next round they are known.
                put_off.append(self._waiting.popleft())
                continue
            longest = max(longest, len(job.prompt.tokens))
            if picked and longest * (len(picked) + 1) > self._prefill_tokens:
                break
            count = min(room, job.request.n - job.started)
            picked.append(
                (job.prompt, [RunningSample.begin(job, job.started + i, self._adapter) for i in range(count)])
            )
            job.started += count
            room -= count
            if self._adapter.prefixes.wants(job.prompt, None):
                pictures.add(job.prompt.pictures)
            if job.started == job.request.n:
                self._waiting.popleft()
        self._waiting.extendleft(reversed(put_off))
        if not picked:
            return
        if not self._join(picked) and len(picked) > 1:
            # One of them may be at fault: it is to fail alone.
            for each in picked:
                self._join([each])

    def _join(self, picked: Sequence[tuple[Prompt, list[RunningSample]]]) -> bool:
        """Read prompts together; return whether it went well. A prompt that cannot be read by itself fails."""
        first = len(self._batch.samples)
        try:
            chosen = self._batch.join(picked)
        except Exception as error:
            _log.exception("prompts could not be read", prompts=len(picked))
            if len(picked) == 1:
                self._fail(picked[0][1][0].job, _unforeseen(error))
            return False
        self._prompt_tokens += sum(len(prompt.tokens) for prompt, _ in picked)
        self._advance(chosen, first)
        return True

    def _advance(self, chosen: Sequence[Chosen], first: int) -> None:
        """Give samples their tokens; those that are done leave.

        Args:
            chosen: Samples with their tokens, in the order of their slots.
            first: The first one's slot.
        """
        done = []
        for slot, (sample, token, logprob) in enumerate(chosen, start=first):
            job = sample.job
            if sample.failure is not None:
                self._fail(job, sample.failure)
            if job.over:  # it leaves before the next step
                continue
            sample.tokens.append(token)
            reason = None
            if token in self._adapter.eos or sample.text.push(token, logprob) or sample.complete:
                reason = "stop"
            elif len(sample.tokens) >= (job.sampling.max_tokens or 0):
                reason = "length"
            if reason is not None:
                done.append(slot)
                job.unfinished -= 1
                self._drafts.learn(job.prompt.tokens, sample.tokens)
                if sample.text.close():
                    reason = "stop"
            if reason is not None or job.streaming:
                text, logprobs = sample.text.take(final=reason is not None)
                if text or logprobs or reason:
                    delta = Delta(sample.index, text, logprobs, reason, len(sample.tokens))
                    self._events.append((job, delta))
        self._completion_tokens += len(chosen)
        self._batch.leave(done)

    def _fail(self, job: Job, error: EngineError) -> None:
        if not job.over:
            job.failed = True
            self._events.append((job, error))

    def _fail_running(self, error: Exception) -> None:
        for sample in self._batch.samples:
            self._fail(sample.job, _unforeseen(error))
        self._batch.empty()

    def _end(self) -> None:
        while True:
            try:
                item = self._inbox.get(block=False)
            except Empty:
                break
            if isinstance(item, Job):
                self._waiting.append(item)
        for job in (*self._waiting, *(sample.job for sample in self._batch.samples)):
            self._fail(job, EngineUnavailableError("The model is shutting down."))
        self._flush()

    def _flush(self) -> None:
        if self._events:
            events, self._events = self._events, []
            self._publish(events)

    def _gauge(self) -> None:
        """Publish all figures at once, after the events that they come from: none is ahead of another."""
        self._stats = EngineStats(
            running=len(self._batch.samples),
            waiting=sum(job.request.n - job.started for job in self._waiting),
            steps=self._steps,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            near_ties=self._batch.near_ties,
            spared_tokens=self._batch.spared,
            foreseen_tokens=self._batch.foreseen,
        )


def _unforeseen(error: Exception) -> EngineError:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return EngineUnavailableError("The model ran out of memory.")
    return EngineError("The model failed on this request.")
