"""The running batch: one step for all samples at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch

from services.common.engine.constraints.grammar_state import mask_logits
from services.common.engine.constraints.penalties import penalise
from services.common.engine.decoding.sampling import SamplingRows, choose
from services.common.engine.interface import TokenLogprob
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.prefixes import Beginning
from services.common.engine.model.prompt import Prompt
from services.common.engine.scheduling.jobs import RunningSample

T = TypeVar("T")

Chosen = tuple[RunningSample, int, TokenLogprob | None]
"""A sample, its next token, and the token's log-probability where it was asked for."""


class RunningBatch:
    """Samples in the slots of a model's cache; sample i is in slot i.

    Args:
        adapter: The model.
        tolerance: What two logits may differ by from rounding alone; 0 lets rounding decide near ties.
    """

    def __init__(self, adapter: TransformersAdapter, tolerance: float) -> None:
        self._adapter = adapter
        self._tolerance = tolerance
        self.samples: list[RunningSample] = []
        self.near_ties = 0
        """Tokens that were settled by a computation of their own."""
        self.spared = 0
        """Prompt tokens that had been read before."""
        self.foreseen = 0
        """Tokens that drafts foresaw."""
        self._lengths: list[int] = []
        self._positions: list[int] = []
        self._last: list[int] = []
        self._state: _State | None = None

    @property
    def room(self) -> int:
        """Free slots."""
        return self._adapter.slots - len(self.samples)

    def join(self, prompts: Sequence[tuple[Prompt, Sequence[RunningSample]]]) -> list[Chosen]:
        """Read prompts and choose the first token of their samples, which thereby run.

        Args:
            prompts: Prompts with their samples, no more of these than there is room.
        """
        first = len(self.samples)
        prompts, logits = self._read(prompts, first)
        # Prompt i was read into slot first + i; spread them so that each sample has a slot, from the last backwards.
        counts = [len(samples) for _, samples in prompts]
        start = first + sum(counts)
        for number in reversed(range(len(prompts))):
            start -= counts[number]
            if counts[number] > 1 or start != first + number:
                length = len(prompts[number][0].tokens)
                self._adapter.fork(first + number, range(start, start + counts[number]), length)
        joined = [sample for _, samples in prompts for sample in samples]
        repeats = torch.tensor(counts, device=self._adapter.device)
        chosen = self._choose(joined, logits.repeat_interleave(repeats, dim=0), None)
        for prompt, samples in prompts:
            self.samples += samples
            self._lengths += [len(prompt.tokens)] * len(samples)
            self._positions += [prompt.next_position] * len(samples)
        self._last += [token for _, token, _ in chosen]
        self._state = None
        return chosen

    def _read(
        self, prompts: Sequence[tuple[Prompt, Sequence[RunningSample]]], first: int
    ) -> tuple[Sequence[tuple[Prompt, Sequence[RunningSample]]], torch.Tensor]:
        """Read prompts into slots, those first of which nothing is known; return them in the slots' order."""
        prefixes = self._adapter.prefixes
        found = [prefixes.find(prompt) for prompt, _ in prompts]
        order = sorted(range(len(prompts)), key=lambda number: found[number] is not None)
        prompts, found = [prompts[number] for number in order], [found[number] for number in order]
        known: list[Beginning] = [each for each in found if each is not None]
        texts = [prompt for prompt, _ in prompts]
        new = len(texts) - len(known)
        logits = [self._adapter.prefill(texts[:new], first)] if new else []
        if known:
            logits.append(self._adapter.read_on(texts[new:], known, first + new))
        self.spared += sum(each.length for each in known)
        for slot, (prompt, beginning) in enumerate(zip(texts, found, strict=True), start=first):
            if prefixes.wants(prompt, beginning):
                self._adapter.keep(prompt, slot)
        return prompts, torch.cat(logits)

    def step(self) -> list[Chosen]:
        """Choose the next token of every sample."""
        state = self._state
        if state is None:
            state = self._state = _State(self._adapter, self.samples, self._lengths, self._positions, self._last)
        logits = self._adapter.step(state.tokens, state.rows, state.lengths, state.positions, max(self._lengths))
        chosen = self._choose(self.samples, logits, state)
        state.advance([token for _, token, _ in chosen])
        for row, (_, token, _) in enumerate(chosen):
            self._lengths[row] += 1
            self._positions[row] += 1
            self._last[row] = token
        return chosen

    def leap(self, draft: Sequence[int]) -> Iterator[Chosen]:
        """Choose the next tokens of the only sample, greedy and free: those that a draft foresaw, and one more.

        Args:
            draft: How its text may go on.

        Yields:
            Its tokens, each after the one before was appended to it; no more once it has left.
        """
        (sample,) = self.samples
        logits = self._adapter.step_along([self._last[0], *draft], self._lengths[0], self._positions[0])
        rows = SamplingRows.of([(sample.key, sample.job.sampling)] * len(logits), logits.device)
        steps = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)  # greedy: no number is drawn
        tokens, unsettled = choose(logits, rows, steps, self._tolerance)
        for row, foreseen in enumerate((*draft, None)):
            token = tokens[row]
            if row in unsettled:
                token = self._settle(sample)
                self.near_ties += 1
            self._lengths[0] += 1
            self._positions[0] += 1
            self._last[0] = token
            self._state = None
            yield sample, token, None
            if token != foreseen or not self.samples:
                return
            self.foreseen += 1

    def empty(self) -> None:
        """Forget all samples, after a failure."""
        self._adapter.reset()
        self.samples, self._lengths, self._positions, self._last = [], [], [], []
        self._state = None

    def leave(self, gone: Sequence[int]) -> None:
        """Take samples out of the batch.

        Args:
            gone: Their slots.
        """
        for slot in sorted(gone, reverse=True):
            last = len(self.samples) - 1
            if slot != last:
                self._adapter.move(last, slot, self._lengths[last])
            _take_last(self.samples, slot)
            _take_last(self._lengths, slot)
            _take_last(self._positions, slot)
            _take_last(self._last, slot)
        if gone:
            self._state = None

    def _choose(self, samples: list[RunningSample], logits: torch.Tensor, state: _State | None) -> list[Chosen]:
        if state is not None:
            rows, steps = state.sampling, state.steps
        else:
            rows = _sampling_rows(samples, logits)
            steps = torch.tensor([len(sample.tokens) for sample in samples], device=logits.device)
        _hold_to_grammars(samples, logits)
        changed, doubtful = _penalised(samples, logits, self._tolerance)
        tokens, unsettled = choose(changed, rows, steps, self._tolerance)
        unsettled = sorted(doubtful.union(unsettled))
        for row in unsettled:
            tokens[row] = self._settle(samples[row])
        self.near_ties += len(unsettled)
        logprobs = self._logprobs(samples, logits, tokens)
        for sample, token in zip(samples, tokens, strict=True):
            if sample.grammar is not None:
                sample.grammar.take(token)
            if sample.penalties is not None:
                sample.penalties.take(token)
        return list(zip(samples, tokens, logprobs, strict=True))

    def _settle(self, sample: RunningSample) -> int:
        logits = self._adapter.recompute(sample.job.prompt, sample.tokens)
        _hold_to_grammars([sample], logits)
        logits, _ = _penalised([sample], logits, 0.0)
        steps = torch.tensor([len(sample.tokens)], device=logits.device)
        return choose(logits, _sampling_rows([sample], logits), steps, 0.0)[0][0]

    def _logprobs(
        self, samples: list[RunningSample], logits: torch.Tensor, tokens: list[int]
    ) -> list[TokenLogprob | None]:
        found: list[TokenLogprob | None] = [None] * len(samples)
        wanting = [row for row, sample in enumerate(samples) if sample.job.request.logprobs is not None]
        if not wanting:
            return found
        places = torch.tensor(wanting, device=logits.device)
        logs = torch.log_softmax(logits[places], dim=-1)
        most = max(samples[row].job.request.logprobs or 0 for row in wanting)
        top = torch.topk(logs, min(most, logs.shape[-1]), dim=-1)
        values, indices = top.values.tolist(), top.indices.tolist()
        for number, row in enumerate(wanting):
            count = samples[row].job.request.logprobs or 0
            best = zip(indices[number][:count], values[number][:count], strict=True)
            found[row] = self._describe(
                tokens[row], float(logs[number, tokens[row]]), tuple(self._describe(*pair) for pair in best)
            )
        return found

    def _describe(self, token: int, value: float, top: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
        text, data = self._adapter.vocabulary.piece(token)
        return TokenLogprob(text, data, value, top)


def _hold_to_grammars(samples: Sequence[RunningSample], logits: torch.Tensor) -> None:
    """Take away, in place, what the samples' grammars do not allow."""
    held = [(row, sample.grammar) for row, sample in enumerate(samples) if sample.grammar is not None]
    if held:
        mask_logits(logits, held)


def _penalised(
    samples: Sequence[RunningSample], logits: torch.Tensor, tolerance: float
) -> tuple[torch.Tensor, set[int]]:
    """Change what tokens are chosen by; log-probabilities are reported without it."""
    penalised = [
        (row, sample.penalties, sample.job.sampling.temperature)
        for row, sample in enumerate(samples)
        if sample.penalties is not None
    ]
    return penalise(logits, penalised, tolerance) if penalised else (logits, set())


def _take_last(column: list[T], place: int) -> None:
    column[place] = column[-1]
    column.pop()


class _State:
    """The batch's tensors, kept from step to step until a sample joins or leaves."""

    def __init__(
        self,
        adapter: TransformersAdapter,
        samples: list[RunningSample],
        lengths: list[int],
        positions: list[int],
        last: list[int],
    ) -> None:
        device = adapter.device
        self.rows = torch.arange(len(samples), device=device)
        self.lengths = torch.tensor(lengths, device=device)
        self.positions = torch.tensor(positions, device=device)
        self.tokens = torch.tensor(last, device=device)
        self.steps = torch.tensor([len(sample.tokens) for sample in samples], device=device)
        self.sampling = SamplingRows.of([(s.key, s.job.sampling) for s in samples], device)

    def advance(self, tokens: list[int]) -> None:
        self.lengths += 1
        self.positions += 1
        self.steps += 1
        self.tokens = torch.tensor(tokens, device=self.tokens.device)


def _sampling_rows(samples: list[RunningSample], logits: torch.Tensor) -> SamplingRows:
    return SamplingRows.of([(sample.key, sample.job.sampling) for sample in samples], logits.device)
