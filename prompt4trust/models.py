"""Interfaces of the two models, policy and downstream: requests, replies, and the error of a failed request.

A downstream model is anything that completes chat messages about a picture; a policy is anything that writes a guidance
prompt for a question. Both may be HTTP clients, models in this process, or scripts of a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from prompt4trust.errors import TransportError
from prompt4trust.prompts import Message

__all__ = [
    "Completion",
    "Cost",
    "Decoding",
    "Downstream",
    "Generation",
    "Guidance",
    "Omission",
    "Policy",
    "Sampling",
    "TransportError",
]

Omission = Literal["logprobs", "seed", "decoding", "system-message", "response-format"]
"""Things that a reply may be without, since the server refuses to be asked for them: log-probabilities, the seed, the
temperature or the bounds of sampling, the system message as one of its own, the form asked for."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Settings of decoding.

    Attributes:
        temperature: 0 is greedy; otherwise logits are divided by it.
        top_p: Smallest set of most likely tokens whose probability reaches this, in (0, 1].
        top_k: Number of most likely tokens to draw from; 0 for all.
        max_tokens: Most tokens to generate; None for as many as the model's context has room for.
        seed: Any integer, to get the same text again; None for fresh entropy.
        response_format: OpenAI's object of that name as JSON text, for a form that the text must have; None for any.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int | None = 256
    seed: int | None = None
    response_format: str | None = None


class Decoding(BaseModel):
    """The decoding that an estimator's confidence comes from: all of it that changes which texts are likely.

    Unlike `Sampling` it holds what an estimator really uses, the number of samples included, and no seed: a seed picks
    among the same texts.

    Attributes:
        temperature: 0 is greedy; otherwise logits are divided by it.
        top_p: Smallest set of most likely tokens whose probability reaches this, in (0, 1].
        top_k: Number of most likely tokens to draw from; 0 for all; None where the server is not told.
        max_tokens: Most tokens of a text; None for as many as the model's context has room for.
        samples: Texts that the confidence is counted in, at least 2; None where each text is read by itself.
        stop_error: Probability, in (0, 1), with which fewer of them may give another answer than all, so that drawing
            stopped before; None where all were drawn.
        counted: Name and version of how the confidence is counted in them, where that was once another way; else None.

    Example:
        >>> Decoding.of(Sampling(temperature=0.1, top_p=0.95, top_k=50, seed=7)).line
        'temperature 0.1, top-p 0.95, top-k 50, 256 tokens'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    top_k: int | None = Field(ge=0)
    max_tokens: int | None = Field(ge=1)
    samples: int | None = Field(default=None, ge=2)
    stop_error: float | None = Field(default=None, gt=0, lt=1, exclude_if=lambda value: value is None)
    counted: str | None = Field(default=None, min_length=1, exclude_if=lambda value: value is None)

    @classmethod
    def of(cls, sampling: Sampling, samples: int | None = None, stop_error: float | None = None) -> Self:
        """Take the decoding from the settings that a model is asked with."""
        return cls(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            samples=samples,
            stop_error=stop_error,
        )

    def as_sent(self, *, takes_top_k: bool) -> Self:
        """Return the decoding as a server is told of it: one that takes no top_k draws by its own."""
        return self if takes_top_k else self.model_copy(update={"top_k": None})

    @property
    def line(self) -> str:
        """The decoding in words; no two decodings have the same."""
        parts = ["greedy" if self.temperature == 0 else f"temperature {_digits(self.temperature)}"]
        if self.top_p != 1:
            parts.append(f"top-p {_digits(self.top_p)}")
        if self.top_k != 0:
            parts.append("top-k of the server" if self.top_k is None else f"top-k {self.top_k}")
        parts.append("any length" if self.max_tokens is None else f"{self.max_tokens} tokens")
        if self.samples is not None:
            parts.append(f"{self.samples} samples")
        if self.stop_error is not None:
            parts.append(f"stopped at an error of {_digits(self.stop_error)}")
        if self.counted is not None:
            parts.append(f"counted by {self.counted}")
        return ", ".join(parts)


def _digits(value: float) -> str:
    """Write a number as short as it is told from every other."""
    short = f"{value:.15g}"
    return short if float(short) == value else repr(value)


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of an answer: model calls, tokens and wall-clock seconds.

    Example:
        >>> Cost(calls=1, prompt_tokens=300) + Cost(calls=1, completion_tokens=20)
        Cost(calls=2, prompt_tokens=300, completion_tokens=20, seconds=0.0)
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """One text that a model wrote.

    Attributes:
        text: The generated text.
        finish_reason: "stop", "length" or the server's own word.
        top_logprobs: For each generated token its most likely alternatives, itself included, as token -> natural
            log-probability; None where none were asked for or offered.
        tokens: The generated tokens in step with top_logprobs; None where there are none.
    """

    text: str
    finish_reason: str
    top_logprobs: Sequence[Mapping[str, float]] | None = None
    tokens: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """All completions of one request.

    Attributes:
        completions: The texts.
        cost: The cost of the request.
        without: What they are without, although it was asked for: the server refuses it, and was asked otherwise.
    """

    completions: Sequence[Completion]
    cost: Cost
    without: frozenset[Omission] = frozenset()


@dataclass(frozen=True, slots=True)
class Guidance:
    """A calibration guidance prompt (CGP) and the policy version that wrote it."""

    text: str
    version: str
    cost: Cost


class Downstream(Protocol):
    """The multimodal LLM that answers."""

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions; raise TransportError where that is not possible."""
        ...


class Policy(Protocol):
    """The small LLM that writes calibration guidance prompts."""

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        """Write one guidance prompt, greedily unless a seed is given; raise TransportError where not possible."""
        ...
