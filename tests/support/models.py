"""Deterministic models in memory: they follow the library's protocols, and their outcomes can be computed by hand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

from prompt4trust.models import Completion, Cost, Generation, Guidance, Sampling
from prompt4trust.prompts import Message

Script = Callable[[str], str | Exception]
"""The prompt's text -> the reply, or what to raise."""


def prompt_text(messages: Sequence[Message]) -> str:
    """The text of a prompt, pictures left out."""
    content = messages[-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


class ScriptedDownstream:
    """Answers by a script and keeps what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Sequence[Message]] = []
        self.samplings: list[Sampling] = []
        self.counts: list[int] = []

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        self.asked.append(messages)
        self.samplings.append(sampling)
        self.counts.append(n)
        reply = self.script(prompt_text(messages))
        if isinstance(reply, Exception):
            raise reply
        return Generation([Completion(reply, "stop")] * n, Cost(1, 10, 5, 0.5))


class ScriptedPolicy:
    """Writes a hint that quotes the question."""

    def __init__(self, version: str = "policy-1") -> None:
        self.version = version
        self.asked: list[tuple[str, Mapping[str, str], int | None]] = []

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        self.asked.append((question, options, seed))
        return Guidance(f"Weigh the edges in: {question}", self.version, Cost(1, 7, 3, 0.25))


def share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def overconfident(prompt: str) -> str:
    """Right ("A") 6 times in 10; states 95 without guidance and 60 to 70 with it."""
    question = re.search(r"Question: (.*)", prompt)
    draw = share(question[1] if question else prompt)
    letter = "A" if draw < 0.6 else "B"
    stated = 60 + round(10 * share(prompt)) if "Guidance" in prompt else 95
    return f"Finding: x. In conclusion, the answer is {letter} with confidence {stated}."
