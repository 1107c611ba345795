"""Files as rows of named values: CSV and TSV read strictly, JSON arrays, JSON lines, parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from prompt4trust.datasets._base import BadRow, Row, numbered
from prompt4trust.datasets.tables.csv_files import CsvRow, csv_rows, mark_name, mark_of
from prompt4trust.datasets.tables.text_lines import encoding_of, numbered_lines
from prompt4trust.errors import DatasetError

_JSON_NAMES = {"list": "array", "str": "string", "bool": "truth value", "NoneType": "null"}
_UNPACK = "unpack it and name a file from it"
_SHEET = "save its sheet as 'CSV UTF-8' and name that file"
_PARQUET = "write it as parquet (with datasets: Dataset.to_parquet) and name that file"
_UNREAD: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (b"BZh", "compressed by bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", _SHEET),
    (b"ARROW1", "an Arrow file", _PARQUET),
    (b"\xff\xff\xff\xff", "an Arrow stream", _PARQUET),
    (b"SQLite format 3", "a SQLite database", "export the table as CSV and name that file"),
    (
        b"\x80",
        "a pickle",
        "a pickle can run any program, so none is read here: write its list with json.dump, where it is trusted",
    ),
)
"""How files begin that hold questions in a form that is not read, what they are, and what to do."""
_WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods", ".numbers"}


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
    if (unread := _unread(path, begin)) is not None:
        raise DatasetError(f"{path}: {': '.join(unread)}")
    text = begin.decode(encoding_of(begin), "ignore").lstrip()
    if not text:
        raise DatasetError(f"{path}: the file is empty")
    if "\0" in text:
        raise DatasetError(f"{path}: neither a text file nor parquet: save it as CSV, JSON lines or parquet")
    return _json(path) if text[0] in "{[" else _table(path)


def _unread(path: Path, begin: bytes) -> tuple[str, str] | None:
    """Name the kind of a file that is not read, and what to do about it."""
    if begin.startswith(b"PK\x03\x04"):
        is_sheet = path.suffix.lower() in _WORKBOOKS or b"[Content_Types].xml" in begin
        return ("a workbook", _SHEET) if is_sheet else ("a zip archive", _UNPACK)
    return next(((what, remedy) for mark, what, remedy in _UNREAD if begin.startswith(mark)), None)


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


def _table(path: Path) -> Entries:
    mark = mark_of(path)
    rows = csv_rows(path, mark)
    header = [title.strip(" \t\ufeff") for title in next(rows).cells]
    if twice := {title for title in header if title and header.count(title) > 1}:
        raise DatasetError(f"{path}: several columns are called {', '.join(sorted(twice))}: rename all but one")
    return Entries("line", _cells(rows, header, mark), tuple(header))


def _cells(rows: Iterator[CsvRow], header: Sequence[str], mark: str) -> Iterator[Entry | BadRow]:
    for row in rows:
        if not any(cell.strip() for cell in row.cells):
            continue
        if len(row.cells) == len(header):
            yield Entry(row.last, dict(zip(header, row.cells, strict=True)))
        else:
            detail = f"it has {len(row.cells)}: quote cells that hold a {mark_name(mark)}"
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
    except ValueError as error:
        raise DatasetError(f"{path}: JSON with a number of more digits than are read") from error
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
    except (ValueError, RecursionError):
        return False
    return True


def _entry(line: int, text: str) -> Entry | BadRow:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
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
