"""The comparison as tables to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

COLUMNS = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "auprc_errors": "AUPRC of errors",
    "aurc": "AURC",
    "ece_raw": "ECE raw",
    "ece": "ECE calibrated",
    "answered_at_5": "answered at 5 %",
    "answered_at_10": "answered at 10 %",
}
"""Metric -> its head, in the table of methods."""
DIFFERENCES = {name: COLUMNS[name] for name in ("auroc", "answered_at_5", "answered_at_10")}
"""The same in the table of differences."""


def rows_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] = COLUMNS) -> Table:
    """Lay out the methods' figures, each with its 95 % interval; a dash where the time is not known."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("method", "calls", "s", "n", "calibrator", *columns.values()):
        table.add_column(head, no_wrap=head == "method")
    for each in rows:
        seconds = f"{each['seconds']:.2f}" if "seconds" in each else "-"
        first = (each["method"], f"{each['calls']:.1f}", seconds, str(each["n"]), each["family"])
        table.add_row(*first, *(interval(each[name]) for name in columns))
    return table


def differences_table(differences: Mapping[str, Mapping[str, Any]], columns: Mapping[str, str] = DIFFERENCES) -> Table:
    """Lay out the methods' differences to the default, on the same questions."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("less the default", *columns.values()):
        table.add_column(head, no_wrap=True)
    for method, each in differences.items():
        table.add_row(method, *(interval(each[name]) for name in columns))
    return table


def interval(found: Mapping[str, float | None]) -> str:
    """Write a value and its interval; a dash where it is undefined.

    Example:
        >>> interval({"value": 0.8541, "low": 0.84, "high": None}), interval({"value": None, "low": None, "high": None})
        ('0.854 [0.840, -]', '-')
    """
    if found["value"] is None:
        return "-"
    low, high = ("-" if found[end] is None else f"{found[end]:.3f}" for end in ("low", "high"))
    return f"{found['value']:.3f} [{low}, {high}]"
