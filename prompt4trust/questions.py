"""The question: the record that every dataset reader produces and every estimator consumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from types import MappingProxyType

MIN_OPTIONS = 2
MAX_OPTIONS = len(ascii_uppercase)


def letter_options(texts: Iterable[str]) -> dict[str, str]:
    """Letter a sequence of option texts A, B, C, ...

    Args:
        texts: 2 to 26 option texts, in the order in which they are shown.

    Returns:
        Letter -> text, in order.

    Raises:
        ValueError: If there are fewer than 2 or more than 26.

    Example:
        >>> letter_options(["Left", "Right"])
        {'A': 'Left', 'B': 'Right'}
    """
    listed = list(texts)
    if not MIN_OPTIONS <= len(listed) <= MAX_OPTIONS:
        raise ValueError(f"a question has {MIN_OPTIONS} to {MAX_OPTIONS} options, not {len(listed)}")
    return dict(zip(ascii_uppercase, listed, strict=False))


@dataclass(frozen=True, slots=True)
class Question:
    """A question, multiple choice or open, perhaps about a picture, perhaps with its truth.

    Attributes:
        id: Unique within its dataset; stable between readings.
        text: The question as shown to a model.
        options: Letter -> text in the order shown; empty for an open question.
        answer: The right option's letter, or None where the truth is unknown.
        image: The picture's file, or None for a text-only question.
        groups: Named strata for per-group reports, such as modality or question family.
        open_answer: For an open question the text that its data set expects. Figures and evidence are made
            from it only where a judge of open answers is named, since two texts can say the same.

    Example:
        >>> question = Question("q1", "Which side?", {"A": "Left", "B": "Right"}, answer="B")
        >>> question.options[question.answer]
        'Right'
        >>> Question("q1", "Which side?", {"A": "Left", "B": "Right"}, answer="C")
        Traceback (most recent call last):
        ValueError: question q1: the answer 'C' is none of A, B
    """

    id: str
    text: str
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    answer: str | None = None
    image: Path | None = None
    groups: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    open_answer: str | None = None

    def __post_init__(self) -> None:
        if self.answer is not None and self.options and self.answer not in self.options:
            raise ValueError(f"question {self.id}: the answer {self.answer!r} is none of {', '.join(self.options)}")
