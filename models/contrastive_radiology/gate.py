"""The gate ahead of shipping: a projection must beat the commonest class on pictures that it has not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from prompt4trust.metrics.proportions import wilson_interval


def judge(answered: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, Any]:
    """Hold cross-validated answers against the commonest class.

    Args:
        answered: Task -> the answer's and the right class's place, for each picture.

    Returns:
        {"passed", "tasks"}: task -> n, accuracy with its 95 % interval (Wilson), the commonest class's share, and
        whether the interval lies above that. It is passed where all tasks pass.

    Example:
        >>> judge({"side": [(0, 0)] * 30 + [(1, 1)] * 30})["tasks"]["side"]["majority"]
        0.5
    """
    tasks = {}
    for task, pairs in answered.items():
        right, n = sum(said == true for said, true in pairs), len(pairs)
        majority = max(Counter(true for _, true in pairs).values(), default=0) / n if n else 0.0
        low, high = wilson_interval(right, n) if n else (0.0, 1.0)
        tasks[task] = {
            "n": n,
            "accuracy": {"value": round(right / n, 4) if n else None, "low": round(low, 4), "high": round(high, 4)},
            "majority": round(majority, 4),
            "passed": low > majority,
        }
    return {"passed": bool(tasks) and all(task["passed"] for task in tasks.values()), "tasks": tasks}
