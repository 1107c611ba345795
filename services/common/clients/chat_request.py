"""A chat completion's request, and the ways in which it can be changed for a server that refuses a part of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from prompt4trust.models import Omission, Sampling
from prompt4trust.prompts import Message

Change = Literal[
    "max_completion_tokens",
    "n",
    "logprobs",
    "seed",
    "top_p",
    "top_k",
    "temperature",
    "system",
    "json_object",
    "response_format",
]
"""One thing done otherwise than asked: the longest length under its newer name, completions one by one, the system
message at the head of the first user message, any JSON object in place of a schema; the others are left out."""

_FORMS = ("response_format", "structured_outputs")
_OMISSIONS: dict[Change, Omission] = {
    "logprobs": "logprobs",
    "seed": "seed",
    "top_p": "decoding",
    "top_k": "decoding",
    "temperature": "decoding",
    "system": "system-message",
    "json_object": "response-format",
    "response_format": "response-format",
}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Request to a chat completions API, as far as callers say what it is.

    Attributes:
        model: Served model name.
        messages: Chat messages in OpenAI's form.
        sampling: How to decode.
        n: Number of completions, at least 1.
        top_logprobs: Alternatives to report for each token, or None for no log-probabilities.
        vendor_parameters: Whether top_k may be sent, which OpenAI's own API does not know.
    """

    model: str
    messages: Sequence[Message]
    sampling: Sampling
    n: int = 1
    top_logprobs: int | None = None
    vendor_parameters: bool = True

    def body(self, changes: Collection[Change] = ()) -> dict[str, Any]:
        """Put the request as JSON, with changes."""
        sampling = self.sampling
        longest = "max_completion_tokens" if "max_completion_tokens" in changes else "max_tokens"
        wanted: dict[str, Any] = {
            "n": self.n,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            longest: sampling.max_tokens,
            "top_k": sampling.top_k if sampling.top_k > 0 and self.vendor_parameters else None,
            "seed": sampling.seed,
            **_form(sampling),
        }
        if "json_object" in changes and "response_format" in wanted:
            wanted["response_format"] = {"type": "json_object"}
        messages = _folded(self.messages) if "system" in changes else list(self.messages)
        body: dict[str, Any] = {"model": self.model, "messages": messages}
        left_out = {*changes, *_FORMS} if "response_format" in changes else set(changes)
        left_out -= {longest}
        body |= {name: value for name, value in wanted.items() if value is not None and name not in left_out}
        if self.top_logprobs is not None and "logprobs" not in changes:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        return body

    def can_change(self, change: Change) -> bool:
        """Whether a change makes a difference to what is sent."""
        return self.body() != self.body({change})

    def omission(self, change: Change) -> Omission | None:
        """Name what the reply is without for a change; None where it is what was asked for all the same."""
        if not self.can_change(change) or (change == "top_p" and self.sampling.top_p == 1):
            return None
        return _OMISSIONS.get(change)

    def omissions(self, changes: Collection[Change]) -> frozenset[Omission]:
        """Name what the reply is without for several changes."""
        return frozenset(omission for each in changes if (omission := self.omission(each)) is not None)

    def single(self, place: int) -> ChatRequest:
        """Make the request for one of the completions alone; a seed is varied, so that they differ as samples do."""
        seed = None if self.sampling.seed is None else self.sampling.seed + place
        return replace(self, n=1, sampling=replace(self.sampling, seed=seed))


def _form(sampling: Sampling) -> dict[str, Any]:
    """Put the form that the text must have as a parameter: OpenAI's, or vLLM's where only that can say it."""
    form = None if sampling.response_format is None else json.loads(sampling.response_format)
    return {} if form is None else form if "structured_outputs" in form else {"response_format": form}


def _folded(messages: Sequence[Message]) -> list[Message]:
    """Put the texts of system messages at the head of the first user message's text."""
    head = "\n\n".join(str(message["content"]) for message in messages if message["role"] == "system")
    rest = [message for message in messages if message["role"] != "system"]
    place = next((place for place, message in enumerate(rest) if message["role"] == "user"), None)
    if not head or place is None:
        return list(messages)
    content = rest[place]["content"]
    if isinstance(content, str):
        rest[place] = {**rest[place], "content": f"{head}\n\n{content}"}
        return rest
    texts = [number for number, part in enumerate(content) if part.get("type") == "text"]
    if not texts:
        rest[place] = {**rest[place], "content": [*content, {"type": "text", "text": head}]}
        return rest
    # Behind the picture, where the text was: what comes first is what engines with a prefix cache share.
    parts = list(content)
    parts[texts[0]] = {**parts[texts[0]], "text": f"{head}\n\n{parts[texts[0]]['text']}"}
    rest[place] = {**rest[place], "content": parts}
    return rest
