"""The protocol that every confidence estimator follows, and the answer that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prompt4trust.errors import TransportError
from prompt4trust.models import Cost, Decoding, Guidance
from prompt4trust.verdict import Invalid, Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """An estimator's answer to one question.

    Attributes:
        verdict: Letter and confidence in [0, 1], or why the model's text holds none.
        text: The model's text that the verdict was read from.
        estimator: Name of the estimator that produced the answer.
        guidance: The guidance prompt that was used, if any.
        cost: Everything that was spent on the answer.
        signals: Further numbers an estimator offers, by name (agreement, entropy, letter log-probability, ...).
        lost: Why a second look could not be taken; `estimator` then names the method that does without it.
    """

    verdict: Verdict | Invalid
    text: str
    estimator: str
    guidance: Guidance | None = None
    cost: Cost = field(default_factory=Cost)
    signals: Mapping[str, float] = field(default_factory=dict)
    lost: TransportError | None = None


class Estimator(Protocol):
    """A way to obtain an answer and a confidence for it."""

    @property
    def name(self) -> str:
        """The name by which requests, reports and calibrators refer to the estimator."""
        ...

    @property
    def needs_policy(self) -> bool:
        """Whether the policy is asked: the gateway falls back to an estimator without one where it is away."""
        ...

    @property
    def decoding(self) -> Decoding:
        """The decoding that it really asks the downstream model for, whatever it was given: evidence is keyed by it."""
        ...

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question.

        Args:
            question: The question's text.
            options: Letter -> text; empty for an open question.
            image_url: The picture as a data: URL, or None.

        Returns:
            The answer; an unparsable reply is an Invalid verdict, not an exception.

        Raises:
            TransportError: If a model could not be asked.
        """
        ...
