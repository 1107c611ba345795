"""CSV and TSV files, read strictly: which mark parts their cells, and whether a quotation mark swallows rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from prompt4trust.datasets.tables.text_lines import numbered_lines
from prompt4trust.errors import DatasetError

_MIN_TELLING = 2
"""Columns from which on a line with as many cells is taken for a row of its own."""

_LONGEST_CELL = 32 << 20
"""Characters: some sets keep a whole picture in a cell, and the csv module stops at 131 072."""

_TELLING_ROWS = 20
"""Rows behind the header that are looked at where it has several marks."""

_MARKS = (",", "\t", ";")
"""Marks between cells, the usual one first."""
_SAYS_ITS_MARK = re.compile(r"sep=([,;\t])\s*", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*("|$)')
_MARK_NAMES = {",": "comma", "\t": "tab", ";": "semicolon"}


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row of a CSV file, and the lines of the file that it stands on."""

    first: int
    last: int
    cells: list[str]


def mark_of(path: Path) -> str:
    """Find the mark between cells: that of the file's name, of Excel's line `sep=;`, or the one that parts the cells.

    Where the computer's language writes decimals with a comma, Excel and R's `write.csv2` part cells by semicolons. A
    title may hold marks, too: of those in the header the one counts that parts most of the next rows into as many
    cells, of two the more frequent one, and a comma where no row tells.
    """
    if path.suffix.lower() in {".tsv", ".tab"}:
        return "\t"
    filled = (line for _, line in numbered_lines(path) if line.strip())
    header = next(filled, "")
    if said := _SAYS_ITS_MARK.fullmatch(header):
        return said[1]
    counts = {mark: count for mark in _MARKS if (count := _bare(header).count(mark))}
    if len(counts) < 2:
        return next(iter(counts), ",")
    rows = [_bare(row) for row in islice(filled, _TELLING_ROWS)]
    fitting = {mark: sum(row.count(mark) == count for row in rows) for mark, count in counts.items()}
    if not any(fitting.values()):
        return next(iter(counts))
    return max(counts, key=lambda mark: (fitting[mark], counts[mark]))


def _bare(line: str) -> str:
    return _QUOTED.sub("", line)


def mark_name(mark: str) -> str:
    """Name a mark between cells for a person."""
    return _MARK_NAMES[mark]


def csv_rows(path: Path, mark: str) -> Iterator[CsvRow]:
    """Read a CSV file, its header included, and refuse it where a quotation mark would swallow rows.

    A row on several lines is a quoted cell with a line break, or a quotation mark that is closed by another one rows
    below. The latter shows: the row has another number of cells than the header, or lines that are whole rows.

    Args:
        path: The file.
        mark: What stands between cells.

    Raises:
        DatasetError: If that is so, or the file is not CSV; nothing behind such a place could be trusted.
    """
    held: list[str] = []
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    last = 0

    def lines() -> Iterator[str]:
        nonlocal last
        for number, line in numbered_lines(path):
            last = number
            if number == 1 and _SAYS_ITS_MARK.fullmatch(line):
                continue
            held.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=mark, strict=True)
    width: int | None = None
    while True:
        held.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(f"{path}: line {last - len(held) + 1}: {_fault(str(error), last)}") from error
        first = last - len(held) + 1
        if width is None:
            width = len(cells)
        elif len(held) > 1 and _swallows(held, cells, width, mark):
            raise DatasetError(
                f"{path}: line {first}: a quotation mark joins lines {first} to {last} to one row, although "
                'they look like several: double the mark ("") or take it away. Where the line breaks are meant, '
                "write the questions as JSON lines instead"
            )
        yield CsvRow(first, last, cells)


def _fault(fault: str, line: int) -> str:
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


def _swallows(lines: Sequence[str], cells: Sequence[str], width: int, mark: str) -> bool:
    if len(cells) != width:
        return True
    if width < _MIN_TELLING:
        return False
    # The outer lines may hold a few more: a cell of theirs that was meant to be quoted may have some within. A line
    # between them counts by what it has within quotation marks: others part cells, of which two may have line breaks.
    outer = min(lines[0].count(mark), lines[-1].count(mark))
    return width - 1 in _quoted_counts(lines, mark)[1:-1] or outer >= width - 1


def _quoted_counts(lines: Sequence[str], mark: str) -> list[int]:
    """Count the marks of each line that stand within quotation marks; a doubled one closes and opens."""
    counts: list[int] = []
    is_quoted = False
    for line in lines:
        count = 0
        for place, part in enumerate(line.split('"')):
            is_quoted ^= place > 0
            count += part.count(mark) if is_quoted else 0
        counts.append(count)
    return counts
