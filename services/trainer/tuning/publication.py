"""Publication of a tuned context: a directory that holds the whole model, to be served as it is."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from prompt4trust.datasets import Dataset
from services.common.contrastive.wording import CONTEXT, FILE, Wording, read_wording
from services.common.http.health import revision
from services.common.registry.directory import Registry
from services.trainer.run_files.provenance import PROVENANCE, hash_weights, in_figures, software
from services.trainer.tuning.config import TuningSpec

_MODEL_FILES = (
    *("config.json", "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"),
    *("preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"),
    *("special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt"),
    *("spiece.model", "tokenizer.model", "sentencepiece.bpe.model"),
)
"""Files that a model is loaded from: its weights, configuration, tokenizer and image processor."""
SHOWN = {
    "accuracy": "accuracy",
    "mean_confidence": "mean confidence",
    "ece": "ECE",
    "ace": "ACE",
    "brier": "Brier",
    "confident_error_share": "errors stated at 0.9 or more",
    "auroc": "AUROC",
}
"""Figures that a card and a terminal show, and what they are called."""


def publish(
    spec: TuningSpec, run: Path, context: Tensor, data: Mapping[str, Dataset], figures: Mapping[str, Mapping[str, Any]]
) -> Path:
    """Add a model to the registry; it appears complete or not at all, and nothing that is there is touched.

    Args:
        spec: The run.
        run: Its folder.
        context: The tuned context, float [length, width].
        data: The questions: "train", of which the shots were drawn, and "validation".
        figures: What `assess` found "before" and "after".

    Returns:
        The model's directory.

    Raises:
        FileExistsError: If there is such a version.
        OSError: If the registry cannot be written.
    """
    name = spec.config.version
    with tempfile.TemporaryDirectory(dir=run, prefix=".publish-") as work:
        staged = Path(work) / name
        staged.mkdir(mode=0o755)
        for file in _model_files(spec.base):
            shutil.copyfile(file, staged / file.name)
        save_file({"context": context.detach().float().contiguous()}, staged / CONTEXT)
        wording = Wording(prompt=read_wording(spec.base).prompt, context=True)
        _write(staged / FILE, wording.model_dump())
        origin = _origin(spec, run.name, data)
        _write(staged / "metrics.json", {"split": "validation", **figures})
        _write(staged / PROVENANCE, origin)
        (staged / "card.md").write_text(_card(spec, origin, figures), encoding="utf-8")
        for file in staged.iterdir():
            file.chmod(0o644)  # read by services under other users
        return Registry(spec.registry).publish_contrastive(name, staged)


def _model_files(base: Path) -> list[Path]:
    """List the files that a model is loaded from; nothing else of a directory is anyone's to publish."""
    return sorted(file for pattern in _MODEL_FILES for file in base.glob(pattern) if file.is_file())


def _origin(spec: TuningSpec, run: str, data: Mapping[str, Dataset]) -> dict[str, Any]:
    return {
        "run": run,
        "parent": spec.config.model,
        "parent_weights_sha256": hash_weights(spec.base),
        "method": "CalibPrompt (arXiv 2509.15226)",
        "data": {
            name: {"name": each.name, "n": len(each.questions), "sha256": each.fingerprint}
            for name, each in data.items()
        },
        "config": spec.config.model_dump(mode="json"),
        "software": software("torch", "transformers"),
        "code_revision": revision(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _card(spec: TuningSpec, origin: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> str:
    config, data = spec.config, origin["data"]
    before, after = figures["before"], figures["after"]
    rows = "\n".join(
        f"| {label} | {in_figures(before['metrics'][name])} | {in_figures(after['metrics'][name])} |"
        for name, label in SHOWN.items()
    )
    return f"""# {config.version}

**No clinical use** without a validation of your own.

## What it is
The contrastive model `{config.model}` with a context of {config.length} vectors ahead of every option, tuned by
CalibPrompt; the model's own weights are as they were.

## What it was trained on
Up to {config.shots} questions a class of {data["train"]["name"]}, {config.epochs} epochs, batches of {config.batch},
step size {config.learning_rate}, label smoothing {config.alpha}, weight {config.calibration} for the calibration loss
and {config.separation} for the separation of the classes' texts, seed {config.seed}.

## How it was measured
{after["n"]} questions of {data["validation"]["name"]}, which chose nothing. 95 % intervals.

| | {config.model} | {config.version} |
|---|---|---|
{rows}

Its confidence is called calibrated by the gateway only where a calibrator was fitted for it under the name that it is
served by.
"""


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
