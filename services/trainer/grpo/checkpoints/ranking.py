"""The order of evaluated checkpoints by a run's objective."""

from __future__ import annotations

from typing import Any

_LESS_IS_BETTER = frozenset({"ece", "brier", "nll"})


def is_better(record: dict[str, Any], other: dict[str, Any], objective: str) -> bool:
    """Compare two evaluations by the objective; an undefined figure beats nothing."""
    mine, theirs = (each["metrics"][objective]["value"] for each in (record, other))
    if mine is None or theirs is None:
        return mine is not None
    return bool(mine < theirs if objective in _LESS_IS_BETTER else mine > theirs)


def best_of(records: dict[int, dict[str, Any]], objective: str) -> dict[str, Any] | None:
    """Find the best evaluation after the start; of equals, the earliest. None where there is none."""
    best = None
    for step in sorted(records):
        if step > 0 and (best is None or is_better(records[step], best, objective)):
            best = records[step]
    return best
