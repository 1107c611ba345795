"""Tables that hold one verdict, put as the lines that they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from prompt4trust.verdict.forms.languages import is_answer_label, is_confidence_label
from prompt4trust.verdict.plain_text import has_words
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

_ANSWER = expression(
    r"(?:(?:final|selected|chosen|my|best|correct) )?(?:answer|verdict)"
    r"|(?:final|selected|chosen|my|best|correct) (?:option|choice|letter)|答案",
    re.IGNORECASE,
)
_SURE = expression(
    r"(?:confidence|certainty|置信度)(?: (?:level|score|rating|value))?(?: ?\([^()]{1,24}\)| ?%)?", re.IGNORECASE
)
_BESIDE = expression(
    r"(?:key |main |brief |supporting )?(?:reason(?:ing|s)?|explanation|rationale|justification|evidence|findings?"
    r"|notes?|diagnosis|comments?|description|modality|(?:option|answer|choice)(?:['’]s)? (?:text|label|description)"
    r"|理由|解释)",
    re.IGNORECASE,
)
_HEADING = expression(r"(?:field|item|key|aspect|category|attribute|parameter|element|)", re.IGNORECASE)
# Cells that take the answer back, and headings that make the table another's.
_TAKES_BACK = expression(rf"{words_at(Place.CELL)}|n['’]t\b|[^\x00-\u02ff]", re.IGNORECASE)
_ANOTHER_S = expression(rf"{words_at(Place.TABLE)}|n['’]t\b", re.IGNORECASE)
_ITS_OWNER = expression(rf"\btable\b[^.\n]{{0,60}}?(?:{_ANOTHER_S.pattern})", re.IGNORECASE)
_SEVERAL = expression(r"\d ?%?[,;]? (?!(?:out )?of\b|von\b|sur\b|de\b)[^\W\d_]+ \d")
_LONE_LETTER = expression(r"(?<![^\W_])(?<!['’-])[A-Z](?![^\W_])(?!['’-]\w)")
_UNIT = expression(r" ?(?:\( ?%\)|%)$")
_RULE = expression(r"[-–—:= ]*")


def without_tables(text: str, options: Mapping[str, str]) -> str:
    r"""Put each table that says one answer and its confidence as two lines.

    Args:
        text: Plain text.
        options: Letter -> text.

    Returns:
        The text; a table of several answers, with a column that may say whose they are, under a line that does, or
        with a cell that takes the answer back or holds another option stays as it was.

    Example:
        >>> without_tables("| Confidence | Answer |\n|---|---|\n| 70 | C |", {"C": "Effusion"})
        'Answer: C\nConfidence: 70'
    """
    if "|" not in text or _ITS_OWNER.search(text):
        return text
    parts: list[str] = []
    for is_table, group in groupby(text.split("\n"), key=lambda line: "|" in line):
        lines = list(group)
        heading = next((part for part in reversed(parts) if part.strip()), "")
        own = is_table and not _ANOTHER_S.search(heading)
        parts += (own and _verdict_of([_cells(line) for line in lines], options)) or lines
    return "\n".join(parts)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _verdict_of(rows: Sequence[Sequence[str]], options: Mapping[str, str]) -> list[str] | None:
    """Write the lines of the one verdict that a table's rows say; none where it says none, or several."""
    rows = [row for row in rows if not all(_RULE.fullmatch(cell) for cell in row)]
    if len(rows) == 2 and len(rows[0]) == len(rows[1]) and (lines := _lines(rows[0], rows[1], options)):
        return lines
    if rows and _HEADING.fullmatch(rows[0][0]):
        rows = rows[1:]
    if len(rows) < 2 or any(len(row) != 2 for row in rows):
        return None
    return _lines([row[0] for row in rows], [row[1] for row in rows], options)


def _lines(labels: Sequence[str], values: Sequence[str], options: Mapping[str, str]) -> list[str] | None:
    """Write the answer's and the confidence's line; nothing where one is missing or twice there, or others are."""
    pairs = [(label.strip(" :").removesuffix("."), value) for label, value in zip(labels, values, strict=True)]
    answers = [value for label, value in pairs if _ANSWER.fullmatch(label) or is_answer_label(label)]
    stated = [(label, value) for label, value in pairs if _SURE.fullmatch(label) or is_confidence_label(label)]
    beside = [value for label, value in pairs if _BESIDE.fullmatch(label)]
    if not len(answers) == len(stated) == 1 or len(pairs) != 2 + len(beside):
        return None
    if _SEVERAL.search(stated[0][1]) or any(_is_taken_back(cell, answers[0], options) for cell in beside):
        return None
    return [f"Answer: {answers[0]}", f"{_UNIT.sub('', stated[0][0])}: {stated[0][1]}"]


def _is_taken_back(cell: str, answer: str, options: Mapping[str, str]) -> bool:
    """Whether a cell beside the answer denies it, supposes it, or holds another option's letter or text."""
    own = _LONE_LETTER.search(answer)
    letter = own[0] if own else ""
    said = cell.casefold()
    others = (text.casefold() for each, text in options.items() if text and each != letter)
    return bool(
        _TAKES_BACK.search(cell)
        or any(found[0] != letter and found[0] in options for found in _LONE_LETTER.finditer(cell))
        or any(has_words(said, other) for other in others)
    )
