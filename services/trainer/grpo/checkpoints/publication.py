"""Publication of a run's best checkpoint as a version of the registry, with its card, figures and provenance."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prompt4trust.rewards import describe_reward
from services.common.http.health import revision
from services.common.registry.directory import Registry
from services.trainer.grpo.config.curriculum_config import describe_curriculum
from services.trainer.run_files.provenance import PROVENANCE, in_figures, software

_SHOWN = {
    "reward": "mean reward",
    "accuracy": "accuracy",
    "ece": "ECE",
    "brier": "Brier",
    "mean_confidence": "mean confidence",
    "confident_error_share": "errors stated at 0.9 or more",
    "auroc": "AUROC",
    "valid_rate": "valid replies",
}


def publish(
    best: Path,
    registry: Registry,
    name: str,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Path:
    """Add a version to the registry; it appears complete or not at all, and nothing that is there is touched.

    Args:
        best: The exported policy.
        registry: The registry.
        name: The version's name.
        before: Evaluation of the policy that the run began with.
        after: Evaluation of the one to publish, on the same questions.
        provenance: Parent, data, configuration and code.

    Returns:
        The version's directory.

    Raises:
        FileExistsError: If there is such a version.
        RegistryError: If the name is invalid.
        OSError: If the registry cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=best.parent, prefix=".publish-") as work:
        staged = Path(work) / name
        shutil.copytree(best, staged)
        metrics = {"split": "validation", "objective": provenance["objective"], "before": before, "after": after}
        (staged / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        (staged / PROVENANCE).write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
        (staged / "card.md").write_text(card(name, before, after, provenance), encoding="utf-8")
        return registry.publish_policy(name, staged)


def describe_origin(
    *,
    run: str,
    parent: str,
    parent_weights: str | None,
    config: Mapping[str, Any],
    connection: Mapping[str, Any],
    data: Mapping[str, Any],
    step: int,
    masked: int,
    difficulty: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Record a version's provenance.

    Args:
        run: Name of the run.
        parent: The policy that the run began with.
        parent_weights: Hash of its weights, where they are at hand.
        config: The run's whole configuration.
        connection: The downstream model that it was trained against.
        data: Names and hashes of the questions.
        step: The step of the checkpoint.
        masked: Completions left out because the network failed.
        difficulty: The questions' difficulties before training, in figures; None for a run without a curriculum.
    """
    return {
        "run": run,
        "parent": parent,
        "parent_weights_sha256": parent_weights,
        "method": "GRPO (TRL's GRPOTrainer)",
        "step": step,
        "objective": config["selection"]["objective"],
        "masked_samples": masked,
        "downstream": {"model": connection["model"], "answer_template": connection["template"]},
        "data": dict(data),
        **({} if difficulty is None else {"difficulty": dict(difficulty)}),
        "config": dict(config),
        "software": software("torch", "transformers", "trl"),
        "code_revision": revision(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def card(name: str, before: Mapping[str, Any], after: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """Write a version's card: its purpose, its training and its figures."""
    config = provenance["config"]
    update, completions = config["update"], config["rollout"]["num_generations"]
    steps = update["max_steps"]
    rows = [
        f"| {label} | {in_figures(before['metrics'][key])} | {in_figures(after['metrics'][key])} |"
        for key, label in _SHOWN.items()
        if key in after["metrics"] and key in before["metrics"]
    ]
    ordered = describe_curriculum(config.get("curriculum"))
    curriculum = f" Curriculum: {ordered}." if ordered else ""
    parent, data, downstream = provenance["parent"], provenance["data"], provenance["downstream"]
    return f"""# {name}

**No clinical use** without a validation of your own.

## What it is
A policy that reads a question and its options, never the picture, and writes a calibration guidance prompt for the
downstream model. It was improved by reinforcement learning (GRPO) from `{parent}`, whose prompt template it keeps
(`prompt.json`). It belongs to the downstream model `{downstream["model"]}`, asked by `{downstream["answer_template"]}`.

## What it was trained on
{data["train"]["n"]} questions of {data["train"]["name"]}. The checkpoint of step {provenance["step"]} of
{steps} was chosen on {data["validation"]["n"]} questions of {data["validation"]["name"]}, by the objective
`{provenance["objective"]}`. Reward `{describe_reward(config["reward"])}`, {completions} completions a prompt, KL weight
{update["beta"]}, step size {update["learning_rate"]}, seed {config["seed"]}; {provenance["masked_samples"]} completions
were left out because the downstream service could not be asked.{curriculum}
`provenance.json` holds the whole configuration and the hashes of the data.

## How it was measured
Greedy guidance on the validation questions, which also chose the checkpoint: the figures after training flatter it a
little, and a report needs a split that chose nothing. 95 % intervals; an invalid reply counts as wrong with
confidence 0.

| | {parent} | {name} |
|---|---|---|
{chr(10).join(rows)}
"""
