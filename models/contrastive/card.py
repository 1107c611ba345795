"""The contrastive miniature's card, from measured figures."""

from __future__ import annotations

from typing import Any

from models.contrastive.networks import NAME
from models.contrastive.wordings import PROMPT

_SHOWN = {
    "accuracy": "accuracy",
    "mean_confidence": "mean confidence",
    "ece": "ECE",
    "ace": "ACE",
    "auroc": "AUROC of confidence for being right",
}


def card(parameters: int, metrics: dict[str, Any], provenance: dict[str, Any]) -> str:
    """Write the card.

    Args:
        parameters: Size of the model.
        metrics: What `publish.measure` found.
        provenance: How it was made.
    """
    figures = "\n".join(f"| {label} | {_cell(metrics[name])} |" for name, label in _SHOWN.items())
    families = "\n".join(
        f"| {family} | {_number(value)} | {_number(metrics['values_of_a_family'].get(family))} |"
        for family, value in metrics["accuracy_by_family"].items()
    )
    minutes = round(sum(float(record["minutes"]) for record in provenance["stages"].values()))
    return f"""# {NAME}

**No clinical use.** This model was trained from scratch on procedural pictures that only imitate medical ones. It
knows nothing of medicine. It exists to demonstrate and to test the system around it.

## What it is
A contrastive model of {parameters / 1e6:.1f} M parameters in the CLIP architecture: a picture tower (3 layers, width
96, patches of 14 pixels) and a text tower (2 layers, width 96, byte-level vocabulary of 512). A 112 x 112 picture
(others are resized) and a text each become a vector of 96 numbers. The options of a question are its classes: each is
written into "{PROMPT}", and a softmax of the scaled cosines is the answer's probability. It reads no question:
options that mean nothing by themselves ("yes", "none of these") are guessed at.
Weights are stored in bfloat16; the figures below were measured with these weights computed in float32.

## What to expect
{metrics["dataset"]}; n = {metrics["n"]}, 95 % intervals:

| figure | value |
|---|---|
{figures}

Accuracy by family, among the four options of a question and, on {_HELD} held-out pictures of the train split's
stream, among all values of the family:

| family | four options | all values |
|---|---|---|
{families}

The image's left edge is called left, as on the screen; there is no patient's side.

## How it was made
`{provenance["command"]}` from Phantom-VQA's train split only; about {minutes} minutes on one busy core. Each step
compares pictures with every value of every family, in wordings that are drawn anew; a throw-away head must tell what
lies in each patch. `metrics.json` and `provenance.json` hold figures,
records of the stages and the weights' hash. `make contrastive` makes it again.
"""


_HELD = "500"


def _cell(interval: dict[str, float | None]) -> str:
    value, low, high = (interval[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
