"""From finished stages to the model's directory, if the gate was passed: small files, figures, provenance and card."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from models.contrastive_radiology.card import card
from models.contrastive_radiology.labels import CLASSES, Labelled
from models.contrastive_radiology.projection import PROMPT
from models.contrastive_radiology.stages import FAST, STAGES, Workshop
from models.publishing import made_with, open_to_readers, rounded, write_json
from models.staged_runs import check_plan, read_record, read_records, replacing, written_plan
from prompt4trust.files import write_atomically
from prompt4trust.metrics import METRICS, metric_intervals
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.part_towers import WEIGHTS, trained_tensors
from services.common.contrastive.wording import FILE, Wording
from services.common.engine.vision.joined.pictures import PREPARATION, SquarePreparation

NAME = "contrastive-radiology-1"
LARGEST = 20_000_000
"""Bytes that the whole directory may have."""
_OVERALL = ("mean_confidence", "ece", "brier", "nll")


class GateError(Exception):
    """The model is no better than naming the commonest class: it is not shipped."""


def publish(shop: Workshop, out: Path) -> Path:
    """Write the model's directory beside the old one, measure it as a service loads it, and put it into its place.

    Args:
        shop: A run whose stages are finished.
        out: Folder that holds models.

    Returns:
        The model's directory.

    Raises:
        GateError: If the gate was not passed.
        OtherPlanError: If a stage was run by another plan.
        ValueError: If the directory is larger than may be shipped. Whatever is raised, the old directory stays.
    """
    check_plan(shop, STAGES)
    gate = read_record(shop.folder, "gate")
    if not gate["passed"]:
        raise GateError(f"the gate was not passed, nothing is published: {json.dumps(gate['tasks'])}")
    with replacing(out / NAME) as folder:
        _write_all(shop, folder)
        if (size := sum(file.stat().st_size for file in folder.iterdir())) > LARGEST:
            raise ValueError(f"{size} bytes are too many to ship")
    shop.log(f"published to {out / NAME}")
    return out / NAME


def _write_all(shop: Workshop, folder: Path) -> None:
    model = shop.model()
    save_file(trained_tensors(model), folder / WEIGHTS, metadata={"format": "pt"})
    model.config.save_pretrained(folder)
    shop.tokenizer.save_pretrained(folder)
    write_json(folder / PREPARATION, SquarePreparation(side=shop.image_size).written())
    write_json(folder / FILE, Wording(prompt=PROMPT).model_dump())
    test = [each for each in shop.labelled if each.split == "test"]
    metrics = {
        "dataset": "VQA-RAD, the folder's test split, each picture once a task",
        **measure(ContrastiveModel.load(folder, parts=shop.parts), shop.data, test),
    }
    fast = shop.plan == FAST
    provenance = {
        "command": f"make contrastive-radiology DATA=FOLDER SEED={shop.seed}"
        + (' ARGS="--fast --out FOLDER"' if fast else ""),
        "seed": shop.seed,
        "fast": fast,
        "plan": written_plan(shop.plan),
        "stages": read_records(shop.folder, STAGES),
        "weights_sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        **made_with(),
    }
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "provenance.json", provenance)
    write_atomically(folder / "card.md", card(NAME, metrics, provenance))
    open_to_readers(folder)


def measure(model: ContrastiveModel, data: Path, labelled: list[Labelled]) -> dict[str, Any]:
    """Answer what is known of pictures, as a service would: all classes of a task are the options.

    Args:
        model: As it is served.
        data: The folder of VQA-RAD.
        labelled: The pictures.

    Returns:
        {"n", "pictures", "tasks", and the figures of the confidence over all tasks with intervals that draw whole
        pictures}; a task has n, accuracy with its interval, mean confidence and the commonest class's share.
    """
    told = {task: model.encode_options(list(classes)) for task, classes in CLASSES.items()}
    rows: list[tuple[str, str, float, bool, str]] = []
    for each in labelled:
        with Image.open(data / "images" / each.picture) as opened:
            [seen] = model.encode_pictures([opened.convert("RGB")])
        for task, name in each.classes.items():
            shares = (model.scale * told[task] @ seen).softmax(dim=0)
            right = list(CLASSES[task])[int(shares.argmax())] == name
            rows.append((task, each.picture, float(shares.max()), right, name))
    tasks = {}
    for task in CLASSES:
        own = [row for row in rows if row[0] == task]
        if own:
            stated, right_own = [row[2] for row in own], [row[3] for row in own]
            found = metric_intervals(stated, right_own, {"accuracy": METRICS["accuracy"]})
            tasks[task] = {
                "n": len(own),
                "accuracy": rounded(found["accuracy"].as_json()),
                "mean_confidence": round(float(np.mean(stated)), 4),
                "majority": round(max(Counter(row[4] for row in own).values()) / len(own), 4),
            }
    pictures, figures = [row[1] for row in rows], {name: METRICS[name] for name in ("accuracy", *_OVERALL)}
    overall = metric_intervals([row[2] for row in rows], [row[3] for row in rows], figures, clusters=pictures)
    return {
        "n": len(rows),
        "pictures": len(set(pictures)),
        "tasks": tasks,
        **{name: rounded(interval.as_json()) for name, interval in overall.items()},
    }
