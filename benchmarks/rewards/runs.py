"""Training runs that differ by their reward, their order of questions and their seed, and by nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

from benchmarks.serving.processes import ROOT
from services.common.registry.directory import Registry
from services.trainer.grpo.config.config_file import load_training
from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.grpo.connection import Connection
from services.trainer.grpo.spec import prepare, read_spec
from services.trainer.run_files.configuration import CONFIG
from services.trainer.run_files.json_lines import read_lines
from services.trainer.run_files.progress import METRICS, read_progress

SHIPPED = ROOT / "configs" / "embedded.yaml"
DOWNSTREAM, START, TEMPLATE = "downstream-mini-1", "policy-mini-sft-1", "answer-compact@1"
DEFAULT = "log_score"
_LOOKED_AT = 16
"""Validation questions of a run itself, which chooses nothing by them: it has one checkpoint, that of its last step."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of a configuration that is the same in all runs.

    Attributes:
        steps: Optimizer steps.
        completions: Completions of a step, a multiple of the 8 of a question.
    """

    steps: int
    completions: int


VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        DEFAULT: {"reward": "log_score"},
        "brier": {"reward": "brier"},
        "spherical": {"reward": "spherical"},
        "tail_weighted": {"reward": "tail_weighted"},
        "brier+tail_weighted": {"reward": {"brier": 1.0, "tail_weighted": 0.5}},
        "log_score+curriculum": {"reward": "log_score", "curriculum": {"first": "easy", "start_share": 0.25}},
    }
)
"""Name -> what a run has of its own; `rlcr` is `brier` by another name. A curriculum has all questions in play after
two thirds of the steps."""


def train(variant: str, seed: int, plan: Plan, url: str, folder: Path) -> Path:
    """Train a policy, or go on where an earlier call was cut off.

    Args:
        variant: One of `VARIANTS`.
        seed: Of the questions' order and the sampling.
        plan: What is the same in all runs.
        url: Base URL of the downstream service, with /v1. A run goes on only where it began.
        folder: Where runs, drawn questions and trained policies are kept.

    Returns:
        The directory of the policy of the last step.

    Raises:
        RunError: If the folder holds such a run of another configuration.
        subprocess.CalledProcessError: If the run fails.
    """
    place = run_folder(variant, seed, folder)
    registry = folder / "registry"
    if not (place / CONFIG).exists():
        Registry(registry).seed(ROOT / "models")
    connection = Connection(url=url, model=DOWNSTREAM, template=TEMPLATE, registry=registry, data=folder / "data")
    prepare(place, configured(variant, seed, plan, place.name), connection)
    if read_progress(place).get("state") != "succeeded":
        subprocess.run(
            [sys.executable, "-m", "services.trainer.grpo", str(place)],
            cwd=ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"},
            check=True,
        )
    return registry / "policies" / place.name


def recorded(variant: str, seed: int, folder: Path) -> dict[str, Any]:
    """Read a run's configuration as its folder records it, paths and address left out."""
    spec = read_spec(run_folder(variant, seed, folder))
    config: dict[str, Any] = json.loads(spec.config.model_dump_json(exclude_none=True))
    return config


def seconds_a_step(variant: str, seed: int, folder: Path) -> float:
    """Read the median of a run's seconds a step."""
    return median(float(each["step_s"]) for each in read_lines(run_folder(variant, seed, folder) / METRICS))


def run_folder(variant: str, seed: int, folder: Path) -> Path:
    """Name a run's folder, which is also the version that it publishes."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in variant)
    return folder / "runs" / f"{plain}-seed-{seed}"


def configured(variant: str, seed: int, plan: Plan, version: str) -> TrainingConfig:
    """Make a run's configuration: the shipped one, shortened, with what the variant has of its own.

    Args:
        variant: One of `VARIANTS`.
        seed: Of the questions' order and the sampling.
        plan: What is the same in all runs.
        version: Name of the version to publish.
    """
    generations = load_training(SHIPPED).rollout.num_generations
    own = VARIANTS[variant]
    changes: dict[str, Any] = {
        "reward": own["reward"],
        "version": version,
        "seed": seed,
        # As many as a run sees: all runs see the same, each once.
        "train.n": plan.steps * plan.completions // generations,
        "validation.n": _LOOKED_AT,
        "update.max_steps": plan.steps,
        "update.per_device_train_batch_size": plan.completions,
        # The policy of the last step is what is compared, whatever became of it.
        "checkpoints.save_steps": plan.steps,
        "selection.must_improve": False,
        "selection.resamples": 10,
    }
    if "curriculum" in own:
        changes["curriculum"] = {**own["curriculum"], "steps": max(1, plan.steps * 2 // 3)}
    return load_training(SHIPPED, changes)
