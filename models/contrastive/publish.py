"""From finished stages to the artifact: weights, figures measured on the weights as shipped, provenance and card."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.contrastive.card import card
from models.contrastive.networks import NAME
from models.contrastive.stages import FAST, STAGES, Workshop
from models.contrastive.wordings import PROMPT
from models.publishing import made_with, open_to_readers, rounded, write_json
from models.recipe.networks.architecture import IMAGE_SIDE
from models.recipe.training.vision import PIXEL_MEAN, PIXEL_STD
from models.staged_runs import read_records
from prompt4trust.datasets.phantoms import FAMILIES, render
from prompt4trust.datasets.phantoms.generator import samples
from prompt4trust.files import write_atomically
from prompt4trust.metrics import METRICS, metric_intervals
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.wording import FILE, Wording

TEST_SEED = 0
_REPORTED = ("accuracy", "mean_confidence", "ece", "ace", "auroc")
_IMAGE_PROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"height": IMAGE_SIDE, "width": IMAGE_SIDE},
    "resample": 3,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [PIXEL_MEAN] * 3,
    "image_std": [PIXEL_STD] * 3,
}


def publish(shop: Workshop, out: Path) -> None:
    """Write the artifact, measure it as a user loads it, and write figures, provenance and card beside it.

    Args:
        shop: A workshop whose stages are finished.
        out: Folder that holds the artifact's folder.
    """
    folder = out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    model = shop.model(trained=True)
    parameters = model.num_parameters()
    model.to(torch.bfloat16).save_pretrained(folder)  # type: ignore[arg-type]  # the stub wants nn.Module
    shop.tokenizer().save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", _IMAGE_PROCESSOR)
    write_json(folder / FILE, Wording(prompt=PROMPT).model_dump())
    metrics = {
        "dataset": f"Phantom-VQA test split, seed {TEST_SEED}, first questions in order, options shuffled",
        **measure(ContrastiveModel.load(folder), shop.plan.exam),
        "values_of_a_family": read_records(shop.folder, STAGES)["towers"]["zero_shot_accuracy"],
    }
    fast = shop.plan == FAST
    provenance = {
        "command": f"python -m models.contrastive --seed {shop.seed}" + (" --fast --out FOLDER" if fast else ""),
        "fast": fast,
        "seed": shop.seed,
        "stages": read_records(shop.folder, STAGES),
        "data": "Phantom-VQA, train split only",
        "weights_sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        **made_with(),
    }
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "provenance.json", provenance)
    write_atomically(folder / "card.md", card(parameters, metrics, provenance))
    open_to_readers(folder)
    shop.log(f"published to {folder}")


def measure(model: ContrastiveModel, n: int) -> dict[str, Any]:
    """Answer the first questions of the test split.

    Returns:
        n, the figures with their intervals, and the accuracy by family.
    """
    asked = list(samples(n, TEST_SEED, "test"))
    stated, right, families = [], [], []
    for start in range(0, n, 100):
        part = asked[start : start + 100]
        seen = model.encode_pictures([Image.fromarray(render(scene)) for scene, _ in part])
        for picture, (_, question) in zip(seen, part, strict=True):
            shares = (model.scale * model.encode_options(question.options) @ picture).softmax(dim=0)
            stated.append(float(shares.max()))
            right.append(int(shares.argmax()) == question.answer)
            families.append(question.family)
    intervals = metric_intervals(stated, right, {name: METRICS[name] for name in _REPORTED})
    return {
        "n": n,
        **{name: rounded(interval.as_json()) for name, interval in intervals.items()},
        "accuracy_by_family": {family: _mean_of(right, families, family) for family in FAMILIES},
    }


def _mean_of(right: Sequence[bool], families: Sequence[str], family: str) -> float | None:
    hits = [hit for hit, each in zip(right, families, strict=True) if each == family]
    return round(float(np.mean(hits)), 4) if hits else None
