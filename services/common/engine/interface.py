"""Requests to an engine, their results, and the protocols that engines follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from prompt4trust.models import Sampling

Message = Mapping[str, Any]
"""A chat message as chat templates read it: ``role`` and ``content``, the content a string or a list of parts.
A part is ``{"type": "text", "text": ...}`` or ``{"type": "image"}``; the n-th image part is the n-th picture."""


def texts_of(message: Message) -> list[str]:
    """List a message's pieces of text, without its images.

    Example:
        >>> texts_of({"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which side?"}]})
        ['Which side?']
    """
    content = message["content"]
    return [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A form that a text is held to: no token is chosen after which it could no longer have that form.

    Attributes:
        kind: Which language the form is written in: a JSON schema, a regular expression that the whole text matches, a
            JSON array of the texts to choose from, or a grammar in Lark's notation.
        source: The form, in that language.
        whitespace: Regular expression of what may stand between the parts of a JSON document; "" for nothing.
        param: Parameter that it came by, which errors name.

    Example:
        >>> Constraint("regex", r"the answer is [A-D]").kind
        'regex'
    """

    kind: Literal["json", "regex", "choice", "grammar"]
    source: str
    whitespace: str | None = None
    param: str = field(default="response_format", compare=False)


@dataclass(frozen=True, slots=True)
class Penalties:
    """Changes of the logits by what the text and the prompt hold already, and by the request's own wish.

    They are made of the logits that a token is chosen by; log-probabilities are reported without them, as vLLM does.

    Attributes:
        presence: Taken from the logit of every token that the text holds, -2 to 2.
        frequency: Taken from it as often as the text holds the token, -2 to 2.
        repetition: Divides the logits of tokens that text or prompt hold where they are positive and multiplies them
            where they are negative, above 0 and at most 2; 1 changes nothing (Keskar et al., arXiv 1909.05858).
        bias: Token number -> what is added to its logit, -100 to 100.
        min_p: Least probability of a token to be drawn, as a share of the most likely one's, 0 to 1.
    """

    presence: float = 0.0
    frequency: float = 0.0
    repetition: float = 1.0
    bias: tuple[tuple[int, float], ...] = ()
    min_p: float = 0.0

    @property
    def neutral(self) -> bool:
        """Whether nothing is changed."""
        return self == Penalties()


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
        constraint: The form that every text must have; None for any.
        penalties: Changes of the logits.
    """

    messages: Sequence[Message]
    sampling: Sampling
    pictures: tuple[str | bytes, ...] = ()
    n: int = 1
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    timeout_s: float | None = None
    client: str = ""
    constraint: Constraint | None = None
    penalties: Penalties = Penalties()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its natural log-probability under the model's own distribution (before temperature and penalties).

    Where the text is held to a form, the distribution is that over the tokens that the form allows.
    """

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
    foreseen_tokens: int = 0


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


class ServedEngine(Engine, Protocol):
    """Engine behind an API, whatever kind of model it runs; an async context manager that starts and stops it."""

    async def __aenter__(self) -> Self:
        """Start serving."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Stop; requests that are not done fail."""
        ...

    @property
    def max_pictures(self) -> int:
        """Most pictures in a request."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether requests are served."""
        ...

    @property
    def stats(self) -> EngineStats:
        """Counters and gauges."""
        ...
