"""Text files line by line, in the encodings that can be told from a file itself."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from prompt4trust.errors import DatasetError


def encoding_of(begin: bytes) -> str:
    """Name a text file's encoding by its byte order mark: UTF-16 where it says so, as Excel's "Unicode text" does."""
    return "utf-16" if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read a text file line by line: UTF-8 (with or without a byte order mark), or UTF-16 with one.

    Raises:
        DatasetError: If the file cannot be opened or is coded otherwise.
    """
    try:
        with path.open("rb") as stream:
            encoding = encoding_of(stream.read(2))
            stream.seek(0)
            with TextIOWrapper(stream, encoding=encoding, newline="") as text:
                yield from enumerate(text, start=1)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: {_first_odd_line(path, encoding)}") from error
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}") from error


def _first_odd_line(path: Path, encoding: str) -> str:
    """Name the first line that is not of an encoding: decoding goes ahead of the lines that are read."""
    if encoding != "utf-8-sig":
        return "not UTF-16, although it begins so: save it as UTF-8"
    remedy = "save it as UTF-8 (Excel calls that 'CSV UTF-8', pandas encoding='utf-8')"
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number} is not UTF-8 (byte 0x{line[error.start]:02x}): {remedy}"
    return f"not UTF-8: {remedy}"
