"""Phantom questions without their options, and the product's command."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.serving.processes import ROOT
from prompt4trust.datasets import load_dataset
from prompt4trust.datasets.phantoms import generate

HEADS: Final = ("id", "image", "question", "answer", "modality", "family")
COLUMNS: Final = "id=id,image=image,question=question,answer=answer,group=modality+family"
"""The same, as the command is told of them."""


def write_open(folder: Path, count: int, *, split: str, seed: int) -> Path:
    """Draw phantom questions, and write them without their options: the answer is a text.

    Args:
        folder: Where they go; what is there already is left alone.
        count: Number of questions, each about a picture of its own.
        split: Their split of Phantom-VQA.
        seed: Seed of their draw within it.

    Returns:
        The question file.
    """
    table = folder / "open.csv"
    if table.exists():
        return table
    choices = load_dataset(generate(folder, count, seed=seed, split=split))
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADS)
        for each in choices.questions:
            assert each.image is not None
            assert each.answer is not None
            groups = (each.groups["modality"], each.groups["family"])
            rows.writerow([each.id, f"images/{each.image.name}", each.text, each.options[each.answer], *groups])
    return table


def run_command(*arguments: str) -> str:
    """Run `trustvqa`, with no settings but those that it is told.

    Returns:
        What it printed.

    Raises:
        RuntimeError: If it ends with another status than 0.
    """
    mine = {key: value for key, value in os.environ.items() if not key.startswith("TRUSTVQA_")}
    done = subprocess.run(
        [sys.executable, "-c", "from trustvqa.cli.main import app; app()", *arguments],
        env={**mine, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"trustvqa {arguments[0]} ended with status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
