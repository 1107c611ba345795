"""A training run in a few figures, read from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.trainer.grpo.checkpoints.ranking import best_of
from services.trainer.run_files.json_lines import read_object, tail
from services.trainer.run_files.progress import EVALUATIONS, METRICS


def describe_training(folder: Path) -> dict[str, Any]:
    """Sum a training run up.

    Returns:
        {"metrics", "before", "after"}: the last step's figures, the evaluation of the policy that it began with, and
        of its best checkpoint so far; each None where there is none yet.
    """
    last = tail(folder / METRICS, 1)
    evaluations = {record["step"]: record for record in tail(folder / EVALUATIONS, 1000) if "step" in record}
    config = read_object(folder / "config.json").get("config", {})
    objective = config.get("selection", {}).get("objective", "reward") if isinstance(config, dict) else "reward"
    return {
        "metrics": last[-1] if last else None,
        "before": evaluations.get(0),
        "after": best_of(evaluations, objective),
    }
