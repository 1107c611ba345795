"""From measured turns to figures, and from figures to a number of replicas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.serving.load import Turn


@dataclass(frozen=True, slots=True)
class Need:
    """Replicas that a rate of questions needs.

    Attributes:
        rate: Questions a second.
        seconds: That an answer takes, at so many at once.
        at_once: How many a replica answers at once in that time.
        headroom: How much more there is to be than is needed on average.
    """

    rate: float
    seconds: float
    at_once: int
    headroom: float

    @property
    def replicas(self) -> int:
        """Rate times seconds are in flight on average (Little 1961, doi 10.1287/opre.9.3.383)."""
        return max(math.ceil(round(self.rate * self.seconds / self.at_once * self.headroom, 9)), 1)

    def __str__(self) -> str:
        in_flight = self.rate * self.seconds
        return (
            f"{self.rate:g}/s x {self.seconds:.3f} s = {in_flight:.1f} in flight; "
            f"/ {self.at_once} at once x {self.headroom:g} = {in_flight / self.at_once * self.headroom:.2f}: "
            f"{self.replicas} replica{'s' if self.replicas > 1 else ''}"
        )


def figures(turns: Sequence[Turn]) -> dict[str, Any]:
    """Sum up the rounds of one concurrency: rates by round, times of all answers together.

    Args:
        turns: One a round, all with as many at once.
    """
    answered = np.concatenate([np.asarray(turn.answered) for turn in turns])
    rates = [turn.per_second for turn in turns]
    failed: dict[str, int] = {}
    for turn in turns:
        for status, times in turn.failed.items():
            failed[str(status)] = failed.get(str(status), 0) + times
    found: dict[str, Any] = {
        "together": turns[0].together,
        "rounds": len(turns),
        "answers": len(answered),
        "failed": failed,
        "recorded_percent": round(100 * sum(turn.recorded for turn in turns) / max(len(answered), 1), 1),
        "per_second": {"median": _short(median(rates)), "least": _short(min(rates)), "most": _short(max(rates))},
    }
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        found[f"{name}_ms"] = _short(1e3 * float(np.quantile(answered, share))) if len(answered) else None
    return found


def need(figures: Mapping[str, Any], rate: float, headroom: float) -> Need:
    """Replicas that a rate needs, by what one did at some concurrency.

    The mean time of an answer is taken as that many at once over answers a second, which is Little's law again.
    """
    at_once = int(figures["together"])
    return Need(rate, at_once / float(figures["per_second"]["median"]), at_once, headroom)


def cores(figures: Mapping[str, Any], rate: float, headroom: float) -> str:
    """Cores that a rate needs, all services together, by the processor time of an answer."""
    spent = sum(figures["cpu_ms"].values())
    return (
        f"{figures['together']} at once: {rate:g}/s x {spent:.1f} ms of a core x {headroom:g} = "
        f"{rate * spent / 1e3 * headroom:.2f} cores"
    )


def _short(number: float) -> float:
    return float(f"{number:.4g}")
