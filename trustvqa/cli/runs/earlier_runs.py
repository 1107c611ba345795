"""The folders of earlier runs, told apart by what lies in them, for `trustvqa report`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt4trust.evaluation import ManifestError, Prediction, RunManifest, TableError, read_manifest, read_predictions
from prompt4trust.evaluation.manifest import FILE as MANIFEST
from prompt4trust.evaluation.predictions import FILE as PREDICTIONS
from services.trainer.evaluation.execute import OUTPUT
from services.trainer.grpo.config.renamed_settings import translate_renamed
from services.trainer.run_files.json_lines import read_lines
from services.trainer.run_files.progress import EVALUATIONS, METRICS
from trustvqa.cli.errors import CommandError
from trustvqa.reports.training_history import Outcomes, TrainingHistory

_A_RUN = "a RUN is the folder that `trustvqa evaluate`, `calibrate` or `train` made, or that of a trainer's run"


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A prediction run as it lies on the disk."""

    folder: Path
    manifest: RunManifest
    predictions: Sequence[Prediction]


def read_run(given: Path) -> EarlierRun | TrainingHistory:
    """Read a run's folder, whatever kind of run it is of.

    Raises:
        CommandError: If it is none, or what lies there cannot be read.
    """
    if not given.is_dir():
        raise CommandError(f"{given}: no such folder; {_A_RUN}")
    for folder in (given, given / OUTPUT):
        if (folder / PREDICTIONS).is_file():
            try:
                return EarlierRun(folder, read_manifest(folder), read_predictions(folder))
            except (ManifestError, TableError) as error:
                raise CommandError(str(error)) from error
    if (given / METRICS).is_file() or (given / EVALUATIONS).is_file():
        return _training(given)
    if (given / MANIFEST).is_file():
        raise CommandError(f"{given} holds no {PREDICTIONS} yet: the run has not got that far, or has failed")
    raise CommandError(f"{given} holds neither {PREDICTIONS} nor {METRICS}; {_A_RUN}")


def labels(earlier: Sequence[EarlierRun]) -> list[str]:
    """Name runs after what tells them apart: models, template or sampling, else their folders; "" for one alone."""
    if len(earlier) == 1:
        return [""]
    manifests = [each.manifest for each in earlier]
    parts: list[list[str]] = [[] for _ in earlier]
    for values in (
        [each.downstream for each in manifests],
        [each.policy or "no policy" for each in manifests],
        [each.template_id for each in manifests],
    ):
        if len(set(values)) > 1:
            for part, value in zip(parts, values, strict=True):
                part.append(value)
    named = [", ".join(part) for part in parts]
    if len(set(named)) == len(named):
        return named
    folders = [each.folder.parent.name if each.folder.name == OUTPUT else each.folder.name for each in earlier]
    return folders if len(set(folders)) == len(folders) else [str(each.folder) for each in earlier]


def _training(folder: Path) -> TrainingHistory:
    try:
        config = translate_renamed(json.loads((folder / "config.json").read_text(encoding="utf-8"))["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{folder / 'config.json'} cannot be read: {error}") from error
    evaluations = {record["step"]: record for record in read_lines(folder / EVALUATIONS) if "metrics" in record}
    outcomes: dict[int, Outcomes] = {}
    for path in (folder / "validation").glob("step-*.jsonl"):
        step = path.stem.removeprefix("step-")
        if step.isdigit():
            outcomes[int(step)] = _outcomes(path)
    return TrainingHistory(
        name=str(config.get("version") or folder.name),
        facts=_facts(config),
        # A tuning, which alone has shots, chooses among no checkpoints.
        objective=None if "shots" in config else str((config.get("selection") or {}).get("objective", "reward")),
        steps=list(read_lines(folder / METRICS)),
        evaluations=[evaluations[step] for step in sorted(evaluations)],
        outcomes=outcomes,
    )


def _outcomes(path: Path) -> Outcomes:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _facts(config: dict[str, Any]) -> dict[str, str]:
    """Lay a configuration out, a line a section."""
    facts = {}
    for name, value in config.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {each}" for key, each in value.items() if each is not None)
        facts[name.replace("_", " ")] = "-" if value is None else str(value)
    return facts
