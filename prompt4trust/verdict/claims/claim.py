"""One answer that a text claims."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CLAIMS = 300
"""Claims beyond which a text is no reply to anything."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One answer that a text claims.

    Attributes:
        start: Place of the words that announce it.
        at: Place of the answer itself.
        end: Place behind it.
        answer: The letter, upper case, or an open question's answer.
        alternatives: Whether it is one of several ("A or B"), or contradicts itself (B with the text of C).
        meant: Whether it stands: it is neither doubted, nor supposed, nor somebody else's.
    """

    start: int
    at: int
    end: int
    answer: str
    alternatives: bool = False
    meant: bool = True
