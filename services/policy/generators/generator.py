"""The protocol of what writes a policy's text: a model in this process, or one behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from prompt4trust.models import Generation, Sampling
from prompt4trust.prompts import Message

_BUSY_RETRY_S = 1.0
_DOWN_RETRY_S = 5.0


class Generator(Protocol):
    """A policy model that is ready to write."""

    async def generate(self, messages: Sequence[Message], n: int, sampling: Sampling) -> Generation:
        """Write n continuations of a chat.

        Raises:
            EngineError: If an in-process model could not.
            TransportError: If a server could not.
        """
        ...

    async def trouble(self) -> str | None:
        """Find out why it cannot be asked just now: one line for an operator, or None."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it may be asked again some time: False where only a new process helps."""
        ...

    async def aclose(self) -> None:
        """Free what it holds; nothing is in flight any more."""
        ...
