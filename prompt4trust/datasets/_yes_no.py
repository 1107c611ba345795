"""Questions whose data sets list no options: those answered by yes or no get these two, all others are open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from prompt4trust.datasets._base import Row, comparable
from prompt4trust.questions import Question

OPTIONS: Mapping[str, str] = MappingProxyType({"A": "Yes", "B": "No"})
_LETTERS = {comparable(text): letter for letter, text in OPTIONS.items()}
CLOSED_WITHOUT_OPTIONS = "closed question whose options the file does not list: kept as an open one"


def yes_or_no(answer: str) -> tuple[Mapping[str, str], str | None]:
    """Give the options Yes and No and the right letter where an answer is one of them; else no options."""
    letter = _LETTERS.get(comparable(answer))
    return (MappingProxyType({}), None) if letter is None else (OPTIONS, letter)


def yes_no_or_open(
    line: int,
    name: str,
    text: str,
    answer: str,
    *,
    closed: bool | None,
    image: Path,
    groups: Mapping[str, str],
) -> Row:
    """Make the row of a question.

    Args:
        line: Its line.
        name: Its id.
        text: The question.
        answer: The answer, as a text.
        closed: Whether the file calls it closed; None where it does not say.
        image: The picture.
        groups: Its strata.

    Returns:
        A question with the options Yes and No where the answer is one of them (and the file does not call the question
        open), else an open one that keeps the answer as a text.
    """
    letter = None if closed is False else _LETTERS.get(comparable(answer))
    kept = MappingProxyType({name: value for name, value in groups.items() if value})
    if letter is not None:
        return Row(line, Question(name, text, OPTIONS, letter, image, kept))
    notes = (CLOSED_WITHOUT_OPTIONS,) if closed else ()
    return Row(line, Question(name, text, image=image, groups=kept, open_answer=answer), notes)
