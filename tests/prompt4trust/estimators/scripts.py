"""A downstream model that replies to each request with the texts a test lists."""

from __future__ import annotations

from collections.abc import Sequence

from prompt4trust.models import Completion, Cost, Generation, Sampling
from prompt4trust.prompts import Message, load_template

TEMPLATE = load_template("answer-compact@1")
OPTIONS = {"A": "Round", "B": "Oval", "C": "Lobulated", "D": "Spiculated"}
IMAGE = "data:image/png;base64,AA=="


def said(letter: str, confidence: int) -> str:
    """A reply in the form that is asked for."""
    return f"Finding: x. In conclusion, the answer is {letter} with confidence {confidence}."


class Texts:
    """Gives out texts in their order, n at a time, and keeps what it was asked."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = list(texts)
        self.requests: list[tuple[Sequence[Message], Sampling, int]] = []

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        self.requests.append((messages, sampling, n))
        given, self._texts = self._texts[:n], self._texts[n:]
        return Generation([Completion(text, "stop") for text in given], Cost(1, 10, 5 * n, 0.5))
