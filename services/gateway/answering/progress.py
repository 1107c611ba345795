"""Steps of an answer that is being made, for whoever watches it."""

from __future__ import annotations

from typing import Final, Protocol

from prompt4trust.models import Guidance


class AnswerProgress(Protocol):
    """Hears of an answer's steps; it must neither wait nor raise."""

    def queued(self, place: int) -> None:
        """Note a question's place in line, once it is taken in: 1 for the next one, 0 where it is its turn."""
        ...

    def guided(self, guidance: Guidance) -> None:
        """Note the guidance that the downstream model is asked with: it names neither an answer nor a confidence."""
        ...


class _Unwatched:
    def queued(self, place: int) -> None:
        pass

    def guided(self, guidance: Guidance) -> None:
        pass


UNWATCHED: Final[AnswerProgress] = _Unwatched()
"""Progress that nobody watches."""
