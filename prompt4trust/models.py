"""Interfaces of the two models, policy and downstream: requests, replies, and the error of a failed request.

A downstream model is anything that completes chat messages about a picture; a policy is anything that writes a guidance
prompt for a question. Both may be HTTP clients, models in this process, or scripts of a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from prompt4trust.errors import TransportError
from prompt4trust.prompts import Message

__all__ = [
    "Completion",
    "Cost",
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
