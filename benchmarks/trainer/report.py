"""Figures from timings: tables to read and a document to keep."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

LATENCY, ENGINE, EVALUATION = "rewards, delayed server", "rewards, embedded engine", "evaluation, embedded engine"
TARGETS = {LATENCY: 20.0, ENGINE: 4.0, EVALUATION: 4.0}
PARTS = {"generate_s": "generate", "reward_s": "reward", "update_s": "update", "step_s": "whole step"}
_PACKAGES = ("torch", "transformers", "trl")


@dataclass(frozen=True, slots=True)
class Timing:
    """One piece of work, done both ways.

    Attributes:
        one_by_one_s: Seconds for one request after another.
        together_s: Seconds for as many at once as the project sends.
    """

    one_by_one_s: float
    together_s: float

    @property
    def ratio(self) -> float:
        """The speed-up of doing things together."""
        return self.one_by_one_s / self.together_s


def document(
    compared: Mapping[str, Sequence[Timing]], steps: Sequence[Mapping[str, Any]], setup: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the JSON document.

    Args:
        compared: Timings by what was measured.
        steps: Lines of metrics.jsonl.
        setup: What was chosen.
    """
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), **{name: version(name) for name in _PACKAGES}}
    return {
        "setup": {**setup, **machine},
        "compared": {
            name: {
                "one_by_one_s": median(timing.one_by_one_s for timing in timings),
                "together_s": median(timing.together_s for timing in timings),
                "ratio": median(timing.ratio for timing in timings),
                "ratios": [timing.ratio for timing in timings],
                "target": TARGETS[name],
            }
            for name, timings in compared.items()
        },
        "step": {
            label: {"median_s": median(values), "low_s": min(values), "high_s": max(values), "n": len(values)}
            for name, label in PARTS.items()
            if (values := [float(row[name]) for row in steps])
        },
    }


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print the tables."""
    if result["compared"]:
        table = Table(title="median of the rounds; how many times faster, with the lowest and highest round")
        for column in ("", "one by one, s", "together, s", "ratio", "lowest", "highest", "target", ""):
            table.add_column(column, justify="right" if column else "left")
        for name, figures in result["compared"].items():
            met = "met" if figures["ratio"] >= figures["target"] else "MISSED"
            seconds = (f"{figures['one_by_one_s']:.2f}", f"{figures['together_s']:.2f}")
            ratios = (figures["ratio"], min(figures["ratios"]), max(figures["ratios"]), figures["target"])
            table.add_row(name, *seconds, *(f"{ratio:.1f}" for ratio in ratios), met)
        console.print(table)
    if result["step"]:
        whole = result["step"]["whole step"]
        table = Table(title=f"a training step, median of {whole['n']}")
        for column in ("", "seconds", "lowest", "highest", "share"):
            table.add_column(column, justify="right" if column else "left")
        for label, figures in result["step"].items():
            spread = (figures["median_s"], figures["low_s"], figures["high_s"])
            share = figures["median_s"] / whole["median_s"]
            table.add_row(label, *(f"{value:.2f}" for value in spread), f"{share:.0%}")
        console.print(table)
