"""Reader for tables of any kind: CSV, TSV, JSON lines, JSON arrays and parquet, by the names of their columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prompt4trust.datasets._base import (
    BLANKS,
    BadRow,
    Row,
    comparable,
    content_id,
    letters_out_of_order,
    numbered,
    plain_text,
    remarks_on,
)
from prompt4trust.datasets._option_numbers import CopBase, OptionNumber, base_of
from prompt4trust.datasets._pictures import picture_folder, placed
from prompt4trust.datasets._yes_no import yes_or_no
from prompt4trust.datasets.tables.cells import cell_fault
from prompt4trust.datasets.tables.listed_options import listed
from prompt4trust.datasets.tables.table_files import Entry, entries
from prompt4trust.errors import DatasetError, UnclearOptionsError
from prompt4trust.options.in_text import split_options
from prompt4trust.options.letters import letter_and_text, without_letters
from prompt4trust.questions import MAX_OPTIONS, MIN_OPTIONS, Question, letter_options

ROLES = ("question", "options", "answer", "image", "id", "group")
"""Meanings that a column can have."""
_SEVERAL = ("options", "group")
_WHOLE = re.compile(r"(\d+)\.0")
"""A whole number in a column with gaps, as pandas writes it; an open question's answer may be a measure, and stays."""


def parse_columns(text: str) -> dict[str, str]:
    """Read which columns hold what, as the command line writes it.

    Args:
        text: Such as "question=Question,options=A+B+C+D,answer=Truth,image=File".

    Returns:
        Meaning -> name of the column, or several with + between.

    Raises:
        DatasetError: If a meaning is unknown or given twice, or the question has no column.

    Example:
        >>> parse_columns("question=q,options=a+b,answer=truth")
        {'question': 'q', 'options': 'a+b', 'answer': 'truth'}
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        role, equals, column = (each.strip() for each in part.partition("="))
        if role not in ROLES or not equals or not column or role in found:
            raise DatasetError(
                f"columns {text!r}: {part.strip()!r} is not MEANING=COLUMN, with each of {', '.join(ROLES)} once at "
                "most; several columns of options or groups have + between them"
            )
        found[role] = column
    return _checked(found)


def _checked(columns: Mapping[str, str]) -> dict[str, str]:
    unknown = [role for role in columns if role not in ROLES]
    if unknown or "question" not in columns:
        fault = f"no meaning {', '.join(map(repr, unknown))}" if unknown else "no column is named for the question"
        raise DatasetError(f"columns: {fault}: name columns for {', '.join(ROLES)}, of which question must be there")
    return dict(columns)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row whose options are known and whose answer is not read yet."""

    entry: Entry
    text: str
    options: Mapping[str, str]
    answer: str
    picture: Path | None


def column_rows(
    path: Path, columns: Mapping[str, str], images: Path | None, cop_base: CopBase | None
) -> tuple[str, Iterator[Row | BadRow]]:
    """Read the rows of a table, and what they are counted in.

    Options are several columns (empty ones at the end are left out), or one that holds a list (`listed`); letters that
    they bear are taken off. The answer is an option's letter, its text, both, or its number (then counted as `cop_base`
    says or the file shows). Without options a question answered by yes or no gets these two; every other one is open,
    and its answer a text.

    Args:
        path: The file.
        columns: Meaning -> name of the column, or several with + between (see `parse_columns`).
        images: Folder of the pictures; by default `images` beside the file, else the file's own folder.
        cop_base: Number of the first option where answers are numbers; None to find it in the file.

    Raises:
        DatasetError: If the file cannot be read, or lacks a column; or its answers are numbers with two meanings.
    """
    table = _Table.open(path, _checked(columns), images)
    drafts = [*table.drafts()]
    numbered_answers = [
        each for each in drafts if isinstance(each, _Draft) and each.options and _is_number(each.answer)
    ]
    numbers = _counted(path, table.unit, numbered_answers, cop_base)
    first = base_of(path, table.unit, columns.get("answer", "answer"), numbers, cop_base)
    counted = bool(numbers)

    def rows() -> Iterator[Row | BadRow]:
        repeats: Counter[str] = Counter()
        for each in drafts:
            row = each if isinstance(each, BadRow) else table.row(each, first if counted else None)
            yield row if isinstance(row, BadRow) else numbered(row, repeats)

    return table.unit, rows()


def _counted(path: Path, unit: str, drafts: Sequence[_Draft], told: CopBase | None) -> list[OptionNumber]:
    """Take answers that are numbers as numbers of options, unless every one is an option's own text."""
    texts = [each for each in drafts if _texts(each)]
    if told is None and texts and len(texts) < len(drafts):
        other = next(each for each in drafts if not _texts(each))
        raise DatasetError(
            f"{path}: the answer of {unit} {texts[0].entry.line} is a number that is an option's text, and that of "
            f"{unit} {other.entry.line} is none: say with --cop-base 0 or 1 that all are numbers of options"
        )
    if told is None and texts:
        return []
    return [OptionNumber(each.entry.line, int(each.answer), len(each.options)) for each in drafts]


def _texts(draft: _Draft) -> list[str]:
    return [letter for letter, text in draft.options.items() if comparable(text) == comparable(draft.answer)]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


@dataclass(frozen=True, slots=True)
class _Table:
    """An open table, its columns found."""

    unit: str
    rows: Iterator[Entry | BadRow]
    columns: Mapping[str, Sequence[str]]
    folder: Path
    carried: Path

    @classmethod
    def open(cls, path: Path, columns: Mapping[str, str], images: Path | None) -> _Table:
        found = entries(path)
        # Objects may lack a field here and there; a column is missing where no row has it.
        held: list[Entry | BadRow] = []
        known: dict[str, None] = dict.fromkeys(found.header)
        wanted = {role: [name] if role not in _SEVERAL else name.split("+") for role, name in columns.items()}
        folder = images if images is not None else picture_folder(path, "images")
        carried = images if images is not None else path.with_name(f"{path.stem}-images")
        for each in found.rows:
            held.append(each)
            if isinstance(each, Entry):
                known.update(dict.fromkeys(each.values))
                names = (name for several in wanted.values() for name in several)
                known.update(dict.fromkeys(name for name in names if _has(each.values, name)))
            if _resolve(wanted, columns, known) is not None or len(held) >= 1000:
                break
        resolved = _resolve(wanted, columns, known)
        if resolved is None:
            missing = [name for names in wanted.values() for name in names if name not in known]
            raise DatasetError(
                f"{path}: no column {', '.join(missing)}; there {'is' if len(known) == 1 else 'are'} "
                f"{', '.join(known) or 'none'}: correct --columns"
            )
        return cls(found.unit, chain(held, found.rows), resolved, folder, carried)

    def drafts(self) -> Iterator[_Draft | BadRow]:
        """Read questions and options; pictures that the table carries are written as the rows pass."""
        for each in self.rows:
            yield each if isinstance(each, BadRow) else self._draft(each)

    def _draft(self, entry: Entry) -> _Draft | BadRow:
        asked = self._value(entry, "question")
        if (fault := cell_fault(entry.line, "the question", asked)) is not None:
            return fault
        text = plain_text(asked)
        if not text:
            return BadRow(entry.line, "empty question", self.columns["question"][0])
        options: Mapping[str, str] | BadRow
        if "options" in self.columns:
            options = self._options(entry)
        else:
            try:
                split = split_options(text)
            except UnclearOptionsError as error:
                detail = f"it {error}, or name their columns (--columns options=A+B)"
                return BadRow(entry.line, "the question's text may hold options", detail)
            text, options = split.question.strip(BLANKS), letter_options(split.options) if split.options else {}
            if not text:
                return BadRow(entry.line, "empty question", self.columns["question"][0])
        if isinstance(options, BadRow):
            return options
        answer = self._value(entry, "answer")
        if isinstance(answer, list) and len(answer) == 1:
            [answer] = answer
        if (fault := cell_fault(entry.line, "the answer", answer)) is not None:
            return fault
        said = plain_text(answer)
        if options and (whole := _WHOLE.fullmatch(said)) and said not in options.values():
            said = whole[1]
        picture: Path | None = None
        if "image" in self.columns:
            found = placed(entry.line, self._value(entry, "image"), self.folder, self.carried)
            if isinstance(found, BadRow):
                return found
            picture = found
            entry = Entry(entry.line, {**entry.values, self.columns["image"][0]: None})
        return _Draft(entry, text, options, said, picture)

    def row(self, draft: _Draft, first: int | None) -> Row | BadRow:
        """Read the answer, numbers as counted from `first`, and make the question."""
        entry, options = draft.entry, draft.options
        letter: str | None = None
        if options and draft.answer:
            found = _letter(draft, first)
            if isinstance(found, BadRow):
                return found
            letter = found
        elif not options:
            options, letter = yes_or_no(draft.answer)
        picture = draft.picture
        groups = {
            name: value for name in self.columns.get("group", ()) if (value := plain_text(_at(entry.values, name)))
        }
        own = plain_text(self._value(entry, "id"))
        stem = picture.stem if picture else "q"
        name = own or f"{stem}-{content_id(stem, draft.text, *options.values())}"
        expected = draft.answer or None if not options else None
        question = Question(name, draft.text, options, letter, picture, MappingProxyType(groups), expected)
        return Row(entry.line, question, remarks_on(options, letter))

    def _value(self, entry: Entry, role: str) -> Any:
        names = self.columns.get(role)
        return _at(entry.values, names[0]) if names else None

    def _options(self, entry: Entry) -> Mapping[str, str] | BadRow:
        names = self.columns.get("options", ())
        if len(names) == 1:
            texts = listed(_at(entry.values, names[0]))
            if texts is None:
                detail = f'{names[0]}: a list is expected, such as ["Left", "Right"], or several columns'
                return BadRow(entry.line, "the options are no list", detail)
        else:
            values = [_at(entry.values, name) for name in names]
            if (fault := _first_fault(entry.line, values)) is not None:
                return fault
            texts = [plain_text(value) for value in values]
            while texts and not texts[-1]:
                texts.pop()
        if not texts:
            return MappingProxyType({})
        if (fault := _first_fault(entry.line, texts)) is not None:
            return fault
        if not all(texts) or not MIN_OPTIONS <= len(texts) <= MAX_OPTIONS:
            return BadRow(entry.line, f"not {MIN_OPTIONS} to {MAX_OPTIONS} options, each with a text", repr(texts))
        bare = without_letters(texts)
        if bare is None:
            return letters_out_of_order(entry.line, texts)
        return MappingProxyType(letter_options(bare))


def _first_fault(line: int, options: Sequence[object]) -> BadRow | None:
    return next((fault for each in options if (fault := cell_fault(line, "an option", each)) is not None), None)


def _has(values: Mapping[str, Any], name: str) -> bool:
    outer, dot, inner = name.partition(".")
    return name in values or (bool(dot) and isinstance(values.get(outer), dict) and _has(values[outer], inner))


def _at(values: Mapping[str, Any], name: str) -> Any:
    """Take a value by its column's name, or one within an object by the names on the way with dots between."""
    outer, dot, inner = name.partition(".")
    if name in values or not dot:
        return values.get(name)
    return _at(values[outer], inner) if isinstance(values.get(outer), dict) else None


def _resolve(
    wanted: Mapping[str, Sequence[str]], columns: Mapping[str, str], known: Mapping[str, None]
) -> dict[str, Sequence[str]] | None:
    """Find every column; a name with a + in it is one column where there is one of that name."""
    found = {role: [columns[role]] if columns[role] in known else names for role, names in wanted.items()}
    return found if all(name in known for names in found.values() for name in names) else None


def _letter(draft: _Draft, first: int | None) -> str | BadRow:
    line, answer, options = draft.entry.line, draft.answer, draft.options
    if first is not None and _is_number(answer):
        place = int(answer) - first
        if 0 <= place < len(options):
            return [*options][place]
        return BadRow(line, f"the answer is no number of an option, counted from {first}", repr(answer))
    texts = _texts(draft)
    letter = answer.strip("()[].: ").upper()
    named = letter if letter in options else None
    if named is not None and texts and texts != [named]:
        return BadRow(line, "the answer is an option's letter, and the text of another", repr(answer))
    if named is not None:
        return named
    if len(texts) == 1:
        return texts[0]
    if not texts and (both := letter_and_text(answer)) is not None and both[0] in options:
        if comparable(options[both[0]]) == comparable(both[1]):
            return both[0]
        return BadRow(line, "the answer's letter is that of another option than its text", repr(answer))
    reason = "the answer is the text of several options" if texts else "the answer is no option's letter or text"
    return BadRow(line, reason, repr(answer))
