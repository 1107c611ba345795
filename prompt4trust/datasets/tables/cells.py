"""Cells of tables whose value would be lost, or be taken for words that nobody wrote."""

from __future__ import annotations

import math
from typing import Final

from prompt4trust.datasets._base import BadRow, plain_text

_MISSING: Final = frozenset({"NA", "<NA>", "#N/A", "NaN", "nan", "NaT", "NULL", "null"})
"""Signs that R, pandas, Excel and databases write where there is no value."""


def cell_fault(line: int, what: str, value: object) -> BadRow | None:
    """Find the fault of a cell that is to hold a text or a number, or nothing.

    Args:
        line: The row's line.
        what: What the cell is, with its article, such as "the answer".
        value: Its value.

    Example:
        >>> cell_fault(2, "an option", "Left") is cell_fault(2, "an option", None) is None
        True
        >>> cell_fault(2, "an option", "NA").told("line")
        "line 2: an option may be a missing value ('NA': leave the cell empty, or write out what is meant)"
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return BadRow(line, f"{what} is neither a text nor a number", repr(value)[:200])
    if plain_text(value) in _MISSING:
        return BadRow(
            line, f"{what} may be a missing value", f"{value!r}: leave the cell empty, or write out what is meant"
        )
    return None
