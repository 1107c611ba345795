"""Reader for MedMCQA: text-only multiple-choice questions as JSON lines (Pal et al. 2022, arXiv 2203.14371)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from prompt4trust.datasets._base import (
    BadRow,
    Dataset,
    OnBad,
    Row,
    collect,
    content_id,
    numbered,
    plain_text,
    remarks_on,
)
from prompt4trust.datasets._option_numbers import CopBase, OptionNumber, base_of
from prompt4trust.datasets.tables.table_files import Entry, entries
from prompt4trust.questions import Question, letter_options

_OPTIONS = ("opa", "opb", "opc", "opd")
_GROUPS = {"subject_name": "subject", "choice_type": "choice_type"}


def read_medmcqa(
    path: Path,
    *,
    on_bad: OnBad = "error",
    limit: int | None = None,
    seed: int = 42,
    cop_base: CopBase | None = None,
) -> Dataset:
    """Read MedMCQA's JSON lines (or one JSON array of the same): question, opa, opb, opc, opd, and cop.

    The original files count cop, the right option, from 1 and those of the hub from 0. A file in which one cop is 0
    counts from 0, one with a 4 counts from 1; of a file with neither it must be told. A row without cop (or with null
    or -1, as the published test split has it) is a question whose truth is unknown.

    Args:
        path: The file.
        on_bad: "error" refuses a file with bad rows and lists the first few; "skip" leaves them out and counts them.
        limit: Draw this many usable questions, or None for all.
        seed: Seed of the draw.
        cop_base: Number of the first option, 0 or 1; None to find it in the file.

    Returns:
        The questions in the file's order; the id is the row's own, else made of its content.

    Raises:
        DatasetError: If the file or (with on_bad "error") a row cannot be used, or it cannot be told from what number
            the file counts, or it counts otherwise than `cop_base` says.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> row = '{"question": "A fruit?", "opa": "Oak", "opb": "Apple", "opc": "Iron", "opd": "Rain", "cop": 2}'
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "dev.jsonl")
        ...     _ = path.write_text(row, encoding="utf-8")
        ...     [question] = read_medmcqa(path, cop_base=1).questions
        >>> question.answer, question.options["B"]
        ('B', 'Apple')
    """
    unit, rows = medmcqa_rows(path, cop_base)
    return collect(path, path.stem, rows, on_bad=on_bad, limit=limit, seed=seed, min_side=None, unit=unit)


def medmcqa_rows(path: Path, cop_base: CopBase | None) -> tuple[str, Iterator[Row | BadRow]]:
    """Read the rows of a file, and what they are counted in."""
    found = entries(path)
    held = [*found.rows]
    numbers = [
        OptionNumber(each.line, number, len(_OPTIONS))
        for each in held
        if isinstance(each, Entry) and (number := _number(each.values.get("cop"))) is not None
    ]
    first = base_of(path, found.unit, "cop", numbers, cop_base)

    def rows() -> Iterator[Row | BadRow]:
        repeats: Counter[str] = Counter()
        for each in held:
            yield each if isinstance(each, BadRow) else _row(each, first, repeats)

    return found.unit, rows()


def _row(entry: Entry, first: int, repeats: Counter[str]) -> Row | BadRow:
    values = [plain_text(entry.values.get(key)) for key in ("question", *_OPTIONS)]
    if absent := [key for key, value in zip(("question", *_OPTIONS), values, strict=True) if not value]:
        return BadRow(entry.line, "missing or empty field", ", ".join(absent))
    text, *choices = values
    cop = entry.values.get("cop")
    answer = None
    if plain_text(cop) not in ("", "-1", "-1.0") or isinstance(cop, bool | list | dict):
        number = _number(cop)
        if number is None or not first <= number < first + len(choices):
            last = first + len(choices) - 1
            return BadRow(entry.line, f"cop is not a whole number from {first} to {last}", repr(cop))
        answer = "ABCD"[number - first]

    own = entry.values.get("id")
    named = isinstance(own, str) and bool(own)
    name = str(own) if named else content_id(text, *choices)
    groups = {group: value for key, group in _GROUPS.items() if (value := plain_text(entry.values.get(key)))}
    options = letter_options(choices)
    question = Question(name, text, MappingProxyType(options), answer, None, MappingProxyType(groups))
    row = Row(entry.line, question, remarks_on(options, answer))
    return row if named else numbered(row, repeats)


def _number(cop: object) -> int | None:
    """Read a cop that is a whole number, also as a table with gaps has it (2.0); -1 stands for none."""
    text = plain_text(cop).removesuffix(".0")
    return int(text) if text.isascii() and text.isdecimal() else None
