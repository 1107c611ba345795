"""Requests to an engine, their results, and the protocols that engines follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prompt4trust.models import Sampling

Message = Mapping[str, Any]
"""A chat message as chat templates read it: ``role`` and ``content``, the content a string or a list of parts.
A part is ``{"type": "text", "text": ...}`` or ``{"type": "image"}``; the n-th image part is the n-th picture."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt and how often and how to continue it.

    Attributes:
        messages: The chat, in the form of `Message`.
        sampling: How to decode. The same request with the same seed gives the same text.
        pictures: One per image part, in order: a base64 ``data:`` URL or an encoded file's bytes.
        n: Number of independent samples; they share one prefill.
        stop: Strings that end the text; they are not part of it.
        logprobs: None for no log-probabilities, otherwise how many alternatives to report besides each chosen token.
        timeout_s: Seconds from submission within which all samples must be done; None for the engine's own limit.
        client: Who asks, by whom turns at the decoders are shared out.
    """

    messages: Sequence[Message]
    sampling: Sampling
    pictures: tuple[str | bytes, ...] = ()
    n: int = 1
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    timeout_s: float | None = None
    client: str = ""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its natural log-probability under the model's own distribution (before temperature)."""

    text: str
    data: bytes
    logprob: float
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """Text and tokens that a sample gained since its last delta.

    Attributes:
        index: Which sample, from 0.
        text: New text; concatenated, a sample's deltas are its text.
        logprobs: The tokens of the new text, where log-probabilities were asked for.
        finish_reason: "stop" or "length" on a sample's last delta, otherwise None.
        completion_tokens: Tokens that the sample has generated so far.
    """

    index: int
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: str | None = None
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class FinishedSample:
    """A sample that is done, with all of its text."""

    index: int
    text: str
    finish_reason: str
    completion_tokens: int
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request; the prompt is counted once whatever n is."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """All samples of a request, by index."""

    samples: tuple[FinishedSample, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters and gauges of an engine since its start."""

    running: int = 0
    waiting: int = 0
    steps: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    near_ties: int = 0
    spared_tokens: int = 0


class DeltaStream(Protocol):
    """The deltas of a request in flight; iterate for them, close to withdraw what is left."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, pictures included."""
        ...

    def __aiter__(self) -> AsyncIterator[Delta]:
        """Yield deltas as they are generated, those of different samples interleaved."""
        ...

    async def aclose(self) -> None:
        """Withdraw the request; its samples leave the batch at the next step."""
        ...


class Engine(Protocol):
    """Model that continues prompts."""

    @property
    def max_model_len(self) -> int:
        """Most tokens of prompt and completion together."""
        ...

    async def submit(self, request: GenerationRequest) -> DeltaStream:
        """Check and queue a request; everything that is wrong with it is raised here, before any delta."""
        ...

    async def complete(self, request: GenerationRequest) -> GenerationResult:
        """Run a request to its end; withdraws it if the caller is cancelled."""
        ...
