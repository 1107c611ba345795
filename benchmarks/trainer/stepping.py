"""Real training steps with the settings of configs/embedded.yaml: where their time goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.engine.servers import ROOT, Contender
from services.common.registry.directory import Registry
from services.trainer.grpo.config.config_file import load_training
from services.trainer.grpo.connection import Connection
from services.trainer.grpo.spec import prepare
from services.trainer.run_files.json_lines import read_lines
from services.trainer.run_files.progress import METRICS

CONFIG = ROOT / "configs" / "embedded.yaml"
_VALIDATION = 16


def measure(server: Contender, steps: int, threads: int, work: Path) -> list[dict[str, Any]]:
    """Train for a few steps in a process of its own.

    Args:
        server: The downstream service.
        steps: How many, at least 2; the first one warms up and does not count.
        threads: Of the trainer's arithmetic.
        work: Where the run may be put.

    Returns:
        The lines of metrics.jsonl after the first.

    Raises:
        CalledProcessError: If the run fails.
    """
    shipped = load_training(CONFIG)
    completions = shipped.update.per_device_train_batch_size * shipped.update.gradient_accumulation_steps
    prompts = completions // shipped.rollout.num_generations
    # All else is as shipped; no question comes twice, and little is evaluated.
    changes = {
        "version": "bench",
        "update.max_steps": steps,
        "train.n": prompts * steps,
        "validation.n": _VALIDATION,
        "checkpoints.save_steps": steps,
    }
    registry = work / "registry"
    Registry(registry).seed(ROOT / "models")
    connection = Connection(
        url=server.url, model=server.model, template="answer-compact@1", registry=registry, data=work / "data"
    )
    folder = work / "run"
    prepare(folder, load_training(CONFIG, changes), connection)
    quiet = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    subprocess.run(
        [sys.executable, "-m", "services.trainer.grpo", str(folder)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **quiet},
        check=True,
    )
    return list(read_lines(folder / METRICS))[1:]
