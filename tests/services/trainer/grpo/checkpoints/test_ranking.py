"""The order of evaluated checkpoints."""

from __future__ import annotations

from typing import Any

from services.trainer.grpo.checkpoints.ranking import best_of, is_better


def record(step: int, **values: float | None) -> dict[str, Any]:
    return {"step": step, "metrics": {name: {"value": value} for name, value in values.items()}}


def test_the_best_by_a_named_objective() -> None:
    records = {
        each["step"]: each
        for each in (record(0, reward=0, ece=0.0), record(2, reward=-2, ece=0.1), record(4, reward=-1, ece=0.2))
    }
    records[6] = record(6, reward=-1, ece=None)
    assert best_of(records, "reward") == records[4]  # the earlier of equals, and never the start
    assert best_of(records, "ece") == records[2]
    assert best_of({0: records[0]}, "reward") is None
    assert not is_better(records[4], records[0], "reward")
