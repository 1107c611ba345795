"""Tables that hold one verdict, and replies of a bare letter and number, put as the lines that they stand for."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import groupby

from prompt4trust.verdict.forms.languages import is_answer_label, is_confidence_label

_ANSWER = re.compile(
    r"(?:(?:final|selected|chosen|my|best|correct) )?(?:answer|option|choice|letter|verdict)|答案", re.IGNORECASE
)
_SURE = re.compile(
    r"(?:confidence|certainty|置信度)(?: (?:level|score|rating|value))?(?: ?\([^()]{1,24}\)| ?%)?", re.IGNORECASE
)
_BESIDE = re.compile(
    r"(?:key |main |brief |supporting )?(?:reason(?:ing|s)?|explanation|rationale|justification|evidence|findings?"
    r"|notes?|diagnosis|comments?|description|modality|理由|解释)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"(?:field|item|key|aspect|category|attribute|parameter|element|)", re.IGNORECASE)
_UNIT = re.compile(r" ?(?:\( ?%\)|%)$")
_RULE = re.compile(r"[-–—:= ]*")


def without_tables(text: str) -> str:
    r"""Put each table that says one answer and its confidence as two lines.

    Args:
        text: Plain text.

    Returns:
        The text; a table of several answers, or with a column that may say whose they are, stays as it was.

    Example:
        >>> without_tables("| Confidence | Answer |\n|---|---|\n| 70 | C |")
        'Answer: C\nConfidence: 70'
    """
    if "|" not in text:
        return text
    parts: list[str] = []
    for is_table, group in groupby(text.split("\n"), key=lambda line: "|" in line):
        lines = list(group)
        parts += (_verdict_of([_cells(line) for line in lines]) or lines) if is_table else lines
    return "\n".join(parts)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _verdict_of(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Write the lines of the one verdict that a table's rows say; none where it says none, or several."""
    rows = [row for row in rows if not all(_RULE.fullmatch(cell) for cell in row)]
    if len(rows) == 2 and len(rows[0]) == len(rows[1]) and (lines := _lines(rows[0], rows[1])):
        return lines
    if rows and _HEADING.fullmatch(rows[0][0]):
        rows = rows[1:]
    if len(rows) < 2 or any(len(row) != 2 for row in rows):
        return None
    return _lines([row[0] for row in rows], [row[1] for row in rows])


def _lines(labels: Sequence[str], values: Sequence[str]) -> list[str] | None:
    """Write the answer's and the confidence's line; nothing where one is missing or twice there, or others are."""
    pairs = [(label.strip(" :").removesuffix("."), value) for label, value in zip(labels, values, strict=True)]
    answers = [value for label, value in pairs if _ANSWER.fullmatch(label) or is_answer_label(label)]
    stated = [(label, value) for label, value in pairs if _SURE.fullmatch(label) or is_confidence_label(label)]
    beside = sum(_BESIDE.fullmatch(label) is not None for label, _ in pairs)
    if not len(answers) == len(stated) == 1 or len(pairs) != 2 + beside:
        return None
    return [f"Answer: {answers[0]}", f"{_UNIT.sub('', stated[0][0])}: {stated[0][1]}"]


_BARE_PAIR = re.compile(r"\W{0,3}([A-Z])[)\]]?\.?(?: ?[,;|:]|\n) ?(\d{2,3}(?:\.\d{1,2})?|0?\.\d{1,3}|1\.0{1,2})\W{0,3}")


def with_labels(text: str, options: Collection[str], texts: Collection[str]) -> str:
    r"""Put the labels to a reply that is nothing but an option's letter and a number.

    Args:
        text: Plain text.
        options: The letters.
        texts: The options' texts: the number may be one's, and the reply stays as it was where any is a number.

    Returns:
        The text; the number needs two digits or a point, since of "B, 4" the scale is open.

    Example:
        >>> with_labels("B, 88", "ABCD", ())
        'Answer: B\nConfidence: 88'
    """
    pair = _BARE_PAIR.fullmatch(text)
    if pair is None or pair[1] not in options or any(re.fullmatch(r"\W*[\d.,]+\W*", each) for each in texts):
        return text
    return f"Answer: {pair[1]}\nConfidence: {pair[2]}"
