"""The comparison as tables to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.confidence.table import interval
from benchmarks.rewards.runs import DEFAULT
from benchmarks.rewards.study import FIGURES, VALID


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print a table for each split and way of guiding, and the differences to the default reward under it."""
    for split, ways in result["splits"].items():
        for way, variants in ways.items():
            n = next(iter(variants.values()))["n"]
            console.print(_table(f"{split}, n = {n}, {way} guidance; in brackets 95 % intervals", variants))
            less = {name: each[f"less {DEFAULT}"] for name, each in variants.items() if f"less {DEFAULT}" in each}
            console.print(_table(f"less {DEFAULT}", less))


def _table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title=title, box=None, padding=(0, 2, 0, 0))
    for head in ("", *FIGURES, VALID):
        table.add_column(head, no_wrap=not head)
    for name, each in rows.items():
        table.add_row(name, *(_cell(each[figure]) for figure in (*FIGURES, VALID)))
    return table


def _cell(found: Mapping[str, Any]) -> str:
    return f"{interval(found)} ({_by_seed(found['by seed'])})"


def _by_seed(values: list[Any]) -> str:
    numbers = [each["value"] if isinstance(each, dict) else each for each in values]
    return ", ".join("-" if each is None else f"{each:.3f}" for each in numbers)
