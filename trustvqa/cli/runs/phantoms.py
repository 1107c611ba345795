"""`trustvqa phantoms`: write a Phantom-VQA data set."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prompt4trust.datasets.phantoms import PhantomError, generate
from trustvqa.cli.errors import fail
from trustvqa.cli.runs.progress import counting_bar


class Split(StrEnum):
    """Splits of Phantom-VQA; no picture is in two."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    VALIDATION = "validation"
    TEST = "test"


class WordingSet(StrEnum):
    """Question wordings: those that the miniature models were trained on, or those held out."""

    TRAIN = "train"
    HELDOUT = "heldout"


def phantoms(
    out: Annotated[Path, typer.Option(help="Folder to make: questions.csv and images/.")],
    n: Annotated[int, typer.Option("--n", help="Number of pictures, one question each (1 to 1 000 000).")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    split: Annotated[Split, typer.Option(help="Which of the disjoint splits to draw.")] = Split.TEST,
    wordings: Annotated[WordingSet, typer.Option(help="Question wordings to draw from.")] = WordingSet.TRAIN,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder that is not empty.")] = False,
) -> None:
    """Write a Phantom-VQA data set in PMC-VQA's format: synthetic pictures with questions, of no clinical use."""
    console = Console(stderr=True)
    try:
        with counting_bar(console) as bar:
            task = bar.add_task("phantoms", total=max(n, 0), visible=False)
            table = generate(
                out,
                n,
                seed,
                split.value,
                wordings=wordings.value,
                overwrite=overwrite,
                progress=lambda done: bar.update(task, completed=done, visible=True),
            )
    except (PhantomError, OSError) as error:
        fail(str(error), 2)
    typer.echo(f"{n} questions in {table}")
