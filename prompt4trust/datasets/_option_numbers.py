"""Right options that are given as numbers: whether a file counts its options from 0 or from 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prompt4trust.errors import DatasetError

CopBase = Literal[0, 1]
"""Number of the first option."""


@dataclass(frozen=True, slots=True)
class OptionNumber:
    """A right option given as a number: the row's line, the number, and how many options the row has."""

    line: int
    number: int
    options: int


def base_of(path: Path, unit: str, field: str, numbers: Sequence[OptionNumber], told: CopBase | None) -> CopBase:
    """Find the number of the first option: one 0 decides for 0, one number of the last option's place for 1.

    A wrong base would make every truth of a file wrong without a word, so it is never guessed, and never kept to
    against what the file shows.

    Args:
        path: The file, for messages.
        unit: What its rows are counted in.
        field: Name of the field that holds the numbers.
        numbers: All that the file holds.
        told: What the user says, or None.

    Returns:
        0 or 1; 1 where there are no numbers.

    Raises:
        DatasetError: If the file shows both, neither (and nothing was told), or the other than was told.
    """
    zero = next((each for each in numbers if each.number == 0), None)
    last = next((each for each in numbers if each.number == each.options), None)
    if zero is not None and last is not None:
        raise DatasetError(
            f"{path}: {field} is 0 in {unit} {zero.line} and {last.number}, of {last.options} options, in {unit} "
            f"{last.line}: options are counted from 0 here and from 1 there. Are two files mixed?"
        )
    shown: CopBase | None = 0 if zero is not None else 1 if last is not None else None
    if (witness := zero or last) is not None and told is not None and told != shown:
        raise DatasetError(
            f"{path}: {unit} {witness.line} has {field} {witness.number}, so the file counts options from {shown}, not "
            f"from {told}: leave --cop-base out, or correct the row"
        )
    base = told if told is not None else shown
    if base is None and numbers:
        raise DatasetError(
            f"{path}: {field} never is 0 nor the last option's number, so the file does not show whether options are "
            "counted from 0 (as the hub's files do) or from 1 (as the original ones): say so with --cop-base 0 or "
            "--cop-base 1"
        )
    return 1 if base is None else base
