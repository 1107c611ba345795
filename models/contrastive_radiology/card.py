"""The card of the contrastive model of real parts, from measured figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.contrastive_radiology.labels import CLASSES
from models.contrastive_radiology.projection import PROMPT
from services.common.engine.parts.named_part import EFFICIENTNET_LITE0, MINILM_L6

_SHOWN = {
    "accuracy": "accuracy",
    "mean_confidence": "mean confidence",
    "ece": "ECE",
    "brier": "Brier",
    "nll": "log loss",
}


def card(name: str, metrics: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """Write the card.

    Args:
        name: The model's.
        metrics: What `publish.measure` found.
        provenance: How it was made.
    """
    stages = provenance["stages"]
    taught = stages["projection"]["pictures_that_taught"]
    classes = "; ".join(f"{task}: {', '.join(own)} ({taught[task]} pictures)" for task, own in CLASSES.items())
    tests = "\n".join(
        f"| {task} | {own['n']} | {_cell(own['accuracy'])} | {own['majority']:.3f} | {own['mean_confidence']:.3f} |"
        for task, own in metrics["tasks"].items()
    )
    gates = "\n".join(
        f"| {task} | {own['n']} | {_cell(own['accuracy'])} | {own['majority']:.3f} |"
        for task, own in stages["gate"]["tasks"].items()
    )
    overall = "\n".join(f"| {label} | {_cell(metrics[key])} |" for key, label in _SHOWN.items())
    return f"""# {name}

**No clinical use.** It names the body part, the modality and the plane of a picture and knows nothing of disease.
Whatever else it is asked, it answers too, and what it then states means nothing.

## What it is
A contrastive model of two pretrained parts that stay as they are and do not lie here: EfficientNet-Lite0, trained on
ImageNet (package `{EFFICIENTNET_LITE0.package}`, {EFFICIENTNET_LITE0.licence}), and all-MiniLM-L6-v2 (package
`{MINILM_L6.package}`, {MINILM_L6.licence} by the model's card). What was trained here and lies here is the projection
between them, LayerNorm and one linear map from 2560 to 384 numbers, and the factor of the cosines. A picture is
stretched to 384 x 384; each option is written into "{PROMPT}"; a softmax of the scaled cosines is the answer's
probability. It reads no question.

## What it was trained on
VQA-RAD (CC0; Lau et al. 2018), the folder's training split, by picture. Classes, with the pictures whose class the
data tell: {classes}. Of coronal, sagittal and AP pictures there are too few to learn from or none: they are not
classes, and a picture of such a plane is called something else. PA pictures are X-rays and axial ones are not, so the
plane says little beyond the modality. The factor of the cosines was fitted to the calibration split, with
Platt's targets.

## How it was measured
The test split, by which nothing was chosen; {metrics["pictures"]} pictures, every class of a task an option; 95 %
intervals. The commonest class's share is that of the test pictures.

| task | n | accuracy | commonest class | mean confidence |
|---|---|---|---|---|
{tests}

Over all tasks, n = {metrics["n"]}, intervals by picture:

| figure | value |
|---|---|
{overall}

The gate ahead of shipping: cross-validated by picture on train and validation, each task's interval must lie above the
commonest class's share.

| task | n | accuracy | commonest class |
|---|---|---|---|
{gates}

`{provenance["command"]}` makes it again; `metrics.json` and `provenance.json` hold the figures and the weights' hash.
"""


def _cell(interval: Mapping[str, float | None]) -> str:
    value, low, high = (interval[key] for key in ("value", "low", "high"))
    if value is None:
        return "-"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
