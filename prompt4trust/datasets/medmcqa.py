"""Reader for MedMCQA: text-only multiple-choice questions as JSON lines (Pal et al. 2022, arXiv 2203.14371)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prompt4trust.datasets._base import BadRow, Dataset, OnBad, Row, collect, content_id, numbered_lines
from prompt4trust.questions import Question, letter_options

_OPTIONS = ("opa", "opb", "opc", "opd")
_GROUPS = {"subject_name": "subject", "choice_type": "choice_type"}


def read_medmcqa(path: Path, *, on_bad: OnBad = "error", limit: int | None = None, seed: int = 42) -> Dataset:
    """Read MedMCQA's JSON lines: question, opa, opb, opc, opd, and cop counted from 1.

    A row without cop (or with null or -1, as the published test split has it) is a question whose truth is unknown.

    Args:
        path: The file.
        on_bad: "error" refuses a file with bad rows and lists the first few; "skip" leaves them out and counts them.
        limit: Draw this many usable questions, or None for all.
        seed: Seed of the draw.

    Returns:
        The questions in the file's order; the id is the row's own, else made of its content.

    Raises:
        DatasetError: If the file or (with on_bad "error") a row cannot be used.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> row = {"question": "A fruit?", "opa": "Oak", "opb": "Apple", "opc": "Iron", "opd": "Rain", "cop": 2}
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "dev.jsonl")
        ...     _ = path.write_text(json.dumps(row), encoding="utf-8")
        ...     [question] = read_medmcqa(path).questions
        >>> question.answer, question.options["B"]
        ('B', 'Apple')
    """
    return collect(path, path.stem, _rows(path), on_bad=on_bad, limit=limit, seed=seed, min_side=None)


def _rows(path: Path) -> Iterator[Row | BadRow]:
    repeats: Counter[str] = Counter()
    for line, text in numbered_lines(path):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            yield BadRow(line, "not a JSON object", str(error))
            continue
        if not isinstance(record, dict):
            yield BadRow(line, "not a JSON object", type(record).__name__)
            continue
        yield _row(line, record, repeats)


def _row(line: int, record: dict[str, Any], repeats: Counter[str]) -> Row | BadRow:
    values = [record.get(key) for key in ("question", *_OPTIONS)]
    absent = [key for key, value in zip(("question", *_OPTIONS), values, strict=True) if not _text(value)]
    if absent:
        return BadRow(line, "missing or empty field", ", ".join(absent))
    text, *choices = map(_text, values)
    cop = record.get("cop")
    if cop in (None, -1):
        answer = None
    elif isinstance(cop, bool) or not str(cop).isdecimal() or not 1 <= int(cop) <= len(choices):
        # A 0 means a file that counts from 0: every one of its truths would be off by one.
        return BadRow(line, f"cop is not a whole number from 1 to {len(choices)}", repr(cop))
    else:
        answer = "ABCD"[int(cop) - 1]

    own = record.get("id")
    name = own if isinstance(own, str) and own else content_id(text, *choices)
    if not own:
        repeats[name] += 1
        name = name if repeats[name] == 1 else f"{name}.{repeats[name]}"
    groups = {group: value for key, group in _GROUPS.items() if (value := _text(record.get(key)))}
    question = Question(name, text, MappingProxyType(letter_options(choices)), answer, None, MappingProxyType(groups))
    return Row(line, question)


def _text(value: object) -> str:
    """Read a field as text; numbers are options too ("opa": 5)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()
