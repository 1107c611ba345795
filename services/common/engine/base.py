"""What an engine takes, what it gives, and how it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Message = Mapping[str, Any]
"""A chat message as chat templates read it: ``role`` and ``content``, the content a string or a list of parts.
A part is ``{"type": "text", "text": ...}`` or ``{"type": "image"}``; the n-th image part stands for the n-th image."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How text is decoded.

    Attributes:
        temperature: 0 is greedy; otherwise logits are divided by it.
        top_p: Smallest set of most likely tokens whose probability reaches this, in (0, 1].
        top_k: Number of most likely tokens to draw from; 0 for all.
        max_tokens: Most tokens to generate; None for as many as the context has room for.
        seed: Any integer; the same request with the same seed gives the same text. None for fresh entropy.
        stop: Strings that end the text; they are not part of it.
        logprobs: None for no log-probabilities, otherwise how many alternatives to report besides each chosen token.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt and how often and how to continue it.

    Attributes:
        messages: The chat, in the form of `Message`.
        images: One per image part, in order: a base64 ``data:`` URL or an encoded file's bytes.
        sampling: How to decode.
        n: Number of independent samples; they share one prefill.
        timeout_s: Seconds from submission within which all samples must be done; None for the engine's own limit.
    """

    messages: Sequence[Message]
    images: tuple[str | bytes, ...] = ()
    sampling: SamplingParams = field(default_factory=SamplingParams)
    n: int = 1
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its natural log-probability under the model's own distribution (before temperature)."""

    text: str
    data: bytes
    logprob: float
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """What a sample gained since its last delta.

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
class Choice:
    """A finished sample."""

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

    choices: tuple[Choice, ...]
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


class EngineError(Exception):
    """A request could not be served; the message is fit for the client."""


class InvalidRequestError(EngineError):
    """The request itself is at fault.

    Attributes:
        param: Name of the offending parameter in OpenAI's terms, where there is one.
        code: Stable machine-readable reason, where there is one.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class ContextOverflowError(InvalidRequestError):
    """Prompt and completion do not fit into the model's context."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="messages", code="context_length_exceeded")


class EngineBusyError(EngineError):
    """The queue is full.

    Attributes:
        retry_after: Seconds after which there is likely to be room.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("The model is busy and its queue is full; try again later.")
        self.retry_after = retry_after


class DeadlineExceededError(EngineError):
    """The request was not done in time."""

    def __init__(self) -> None:
        super().__init__("The request was not finished within its time limit.")


class EngineUnavailableError(EngineError):
    """The engine has not started, has failed or is shutting down."""


class GenerationStream(Protocol):
    """A request in flight; iterate it for deltas, close it to withdraw what is left."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, images included."""
        ...

    def __aiter__(self) -> AsyncIterator[Delta]:
        """Yield deltas as they are generated, those of different samples interleaved."""
        ...

    async def aclose(self) -> None:
        """Withdraw the request; its samples leave the batch at the next step."""
        ...


class Engine(Protocol):
    """Continues prompts."""

    @property
    def max_model_len(self) -> int:
        """Most tokens of prompt and completion together."""
        ...

    async def submit(self, request: GenerationRequest) -> GenerationStream:
        """Check and queue a request; everything that is wrong with it is raised here, before any delta."""
        ...

    async def complete(self, request: GenerationRequest) -> GenerationResult:
        """Run a request to its end; withdraws it if the caller is cancelled."""
        ...
