"""Files as rows of named values: CSV and TSV read strictly, JSON arrays, JSON lines, parquet."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from prompt4trust.datasets._base import BadRow, Row, numbered, numbered_lines
from prompt4trust.errors import DatasetError

_MIN_TELLING = 2
"""Columns from which on a line with as many cells is taken for a row of its own."""

_JSON_NAMES = {"list": "array", "str": "string", "bool": "truth value", "NoneType": "null"}
_PACKED = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "compressed by gzip", b"\x80": "a pickle"}


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row of a CSV file, and the lines of the file that it stands on."""

    first: int
    last: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as named values, and the line on which it stands (or its number, from 1)."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entries:
    """The rows of a file, read as they are taken.

    Attributes:
        unit: What they are counted in.
        rows: The rows.
        header: Names of the values, where the file says them once for all rows.
    """

    unit: str
    rows: Iterator[Entry | BadRow]
    header: tuple[str, ...] = ()


def numbered_rows(rows: Iterator[Entry | BadRow], make: Callable[[Entry], Row | BadRow]) -> Iterator[Row | BadRow]:
    """Make records of rows; what follows under an id that was there before gets a number added to it.

    Args:
        rows: The rows of a file.
        make: Makes a record of one.
    """
    repeats: Counter[str] = Counter()
    for each in rows:
        row = each if isinstance(each, BadRow) else make(each)
        yield row if isinstance(row, BadRow) else numbered(row, repeats)


def entries(path: Path) -> Entries:
    """Read a file as rows, by what it begins with rather than by its name.

    Raises:
        DatasetError: If the file cannot be opened, is packed or a pickle, or is of no form that is read here; while
            rows are taken also where it breaks off.
    """
    try:
        with path.open("rb") as stream:
            begin = stream.read(4096)
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}") from error
    if begin.startswith(b"PAR1"):
        return Entries("row", _parquet(path))
    for mark, what in _PACKED.items():
        if begin.startswith(mark):
            remedy = (
                "a pickle can run any program, so none is read here: write its list with json.dump, where it is trusted"
                if mark == b"\x80"
                else "unpack it and name a file from it"
            )
            raise DatasetError(f"{path}: {what}: {remedy}")
    text = begin.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise DatasetError(f"{path}: the file is empty")
    if text[:1] in (b"{", b"["):
        return _json(path)
    header = text.splitlines()[0]
    tabs = path.suffix.lower() in {".tsv", ".tab"} or (b"\t" in header and b"," not in header)
    return _table(path, "\t" if tabs else ",")


def whole_table(path: Path) -> tuple[str, list[str], list[Entry]]:
    """Read all rows of a table, none of which may be unreadable.

    Returns:
        What rows are counted in, the names of the columns, and the rows.

    Raises:
        DatasetError: If the file or a row cannot be read.
    """
    found = entries(path)
    header = dict.fromkeys(found.header)
    rows: list[Entry] = []
    for row in found.rows:
        if isinstance(row, BadRow):
            raise DatasetError(f"{path}: {row.told(found.unit)}")
        header.update(dict.fromkeys(row.values))
        rows.append(row)
    return found.unit, list(header), rows


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[CsvRow]:
    """Read a CSV file, its header included, and refuse it where a quotation mark would swallow rows.

    A row on several lines is a quoted cell with a line break, or a quotation mark that is closed by another one rows
    below. The latter shows: the row has another number of cells than the header, or lines that are whole rows.

    Raises:
        DatasetError: If that is so, or the file is not CSV; nothing behind such a place could be trusted.
    """
    held: list[str] = []

    def lines() -> Iterator[str]:
        for _, line in numbered_lines(path):
            held.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    width: int | None = None
    while True:
        held.clear()
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(f"{path}: line {first}: {_csv_fault(str(error), reader.line_num)}") from error
        if width is None:
            width = len(cells)
        elif len(held) > 1 and _swallows(held, cells, width, delimiter):
            raise DatasetError(
                f"{path}: line {first}: a quotation mark joins lines {first} to {reader.line_num} to one row, although "
                'they look like several: double the mark ("") or take it away. Where the line breaks are meant, '
                "write the questions as JSON lines instead"
            )
        yield CsvRow(first, reader.line_num, cells)


def _csv_fault(fault: str, line: int) -> str:
    if "unexpected end" in fault:
        return (
            f'a quotation mark opens a cell that is not closed up to the end of the file (line {line}): double it ("") '
            "or take it away"
        )
    if "expected after" in fault:
        return (
            f'a cell goes on behind its closing quotation mark (on line {line}): double marks within a cell ("") '
            "or take them away"
        )
    return f"not readable as CSV ({fault})"


def _swallows(lines: Sequence[str], cells: Sequence[str], width: int, delimiter: str) -> bool:
    if len(cells) != width:
        return True
    if width < _MIN_TELLING:
        return False
    # The outer lines may hold a few more: a cell of theirs that was meant to be quoted may have some within.
    counts = [line.count(delimiter) for line in lines]
    return width - 1 in counts[1:-1] or min(counts[0], counts[-1]) >= width - 1


def _table(path: Path, delimiter: str) -> Entries:
    rows = csv_rows(path, delimiter)
    header = [title.strip(" \t\ufeff") for title in next(rows).cells]
    if twice := {title for title in header if title and header.count(title) > 1}:
        raise DatasetError(f"{path}: several columns are called {', '.join(sorted(twice))}: rename all but one")
    return Entries("line", _cells(rows, header, delimiter), tuple(header))


def _cells(rows: Iterator[CsvRow], header: Sequence[str], delimiter: str) -> Iterator[Entry | BadRow]:
    for row in rows:
        if not any(cell.strip() for cell in row.cells):
            continue
        if len(row.cells) == len(header):
            yield Entry(row.last, dict(zip(header, row.cells, strict=True)))
        else:
            detail = f"it has {len(row.cells)}: quote cells that hold a {'tab' if delimiter != ',' else 'comma'}"
            yield BadRow(row.last, f"row does not have {len(header)} cells", detail)


def _json(path: Path) -> Entries:
    lines = ((number, text) for number, text in numbered_lines(path) if text.strip())
    first = next(lines)
    start = first[1].strip()
    if not start.startswith("[") and start != "{":
        return Entries("line", (_entry(number, text) for number, text in chain([first], lines)))
    held = [first, *lines]
    if start.startswith("[") and len(held) > 1 and _whole(start):
        return Entries("line", (_entry(number, text) for number, text in held))
    try:
        found = json.loads("".join(text for _, text in held))
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path}: the JSON breaks off or is wrong at its line {error.lineno}, column {error.colno} ({error.msg}): "
            "one array of questions is expected, or one question a line; was the file copied whole?"
        ) from error
    except RecursionError as error:
        raise DatasetError(f"{path}: JSON nested too deeply to hold questions") from error
    if not isinstance(found, list):
        raise DatasetError(
            f"{path}: one JSON object ({', '.join(list(found)[:8])}): one array of questions is expected, "
            "or one question a line"
        )
    if not found:
        raise DatasetError(f"{path}: an empty array: there is no question in it")
    return Entries("item", (_named(number, value) for number, value in enumerate(found, start=1)))


def _whole(text: str) -> bool:
    try:
        json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return False
    return True


def _entry(line: int, text: str) -> Entry | BadRow:
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        fault = f'{error}; one question a line is expected, as an object such as {{"question": ...}}'
        return BadRow(line, "not complete JSON", fault)
    return _named(line, value)


def _named(line: int, value: object) -> Entry | BadRow:
    if isinstance(value, dict):
        return Entry(line, value)
    kind = _JSON_NAMES.get(type(value).__name__, "number")
    return BadRow(
        line, "no JSON object", f'a JSON {kind} stands where a question is expected, such as {{"question": ...}}'
    )


def _parquet(path: Path) -> Iterator[Entry | BadRow]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise DatasetError(
            f"{path}: parquet is read by pyarrow, which is not installed: pip install 'trustvqa[train]', or write the "
            "questions as JSON lines"
        ) from error
    try:
        with parquet.ParquetFile(path) as table:
            number = 0
            for batch in table.iter_batches(batch_size=256):
                for values in batch.to_pylist():
                    number += 1
                    yield Entry(number, values)
    except (arrow.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: not readable as parquet ({error}): was the file copied whole?") from error
