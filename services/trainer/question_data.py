"""The questions of a run as its configuration names them, and the reading of them."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from prompt4trust.datasets import CopBase, Dataset, Kind, load_dataset
from prompt4trust.datasets.phantoms import SPLITS, PhantomError, generate
from services.trainer.errors import DataError
from services.trainer.section import Int, Section


class PhantomData(Section):
    """Questions of Phantom-VQA, drawn when the run begins.

    Attributes:
        kind: Tag of this kind of data.
        n: Number of pictures, one question each.
        seed: The same seed gives the same pictures.
        split: One of the disjoint splits.
        wordings: Question wordings to draw from.
    """

    kind: Literal["phantoms"]
    n: Int = Field(ge=1, le=1_000_000)
    seed: Int = Field(default=0, ge=0)
    split: str = Field(json_schema_extra={"enum": [*SPLITS]})
    wordings: Literal["train", "heldout"] = "train"

    @field_validator("split")
    @classmethod
    def _split_exists(cls, split: str) -> str:
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
        return split


class FileData(Section):
    """Questions of a file, of any format that the library reads.

    Attributes:
        kind: Tag of this kind of data.
        path: The file, or a folder with questions.csv.
        images: Folder of the pictures, or None to find it.
        limit: Number to draw, or None for all.
        seed: Seed of the draw.
        min_side: Leave out pictures that do not open or have fewer pixels on a side.
        on_bad: Whether unusable rows are left out or end the run.
        format: The file's format, or None to tell by its fields.
        columns: Which column holds what, of a table of a format of its own: question, options, answer, image, ...
        cop_base: Number of the first option, where right options are numbers and the file does not show it.
    """

    kind: Literal["file"]
    path: Path
    images: Path | None = None
    limit: Int | None = Field(default=None, ge=1)
    seed: Int = Field(default=42, ge=-(2**63), lt=2**63)
    min_side: Int | None = Field(default=None, ge=1)
    on_bad: Literal["error", "skip"] = "skip"
    format: Kind | None = None
    columns: dict[str, str] | None = None
    cop_base: CopBase | None = None


Data = Annotated[PhantomData | FileData, Field(discriminator="kind")]


def load_questions(data: PhantomData | FileData, folder: Path) -> Dataset:
    """Read questions with a known answer; phantoms are drawn where they are not there yet.

    Args:
        data: The questions.
        folder: Folder of drawn phantoms; the same ones are drawn once.

    Returns:
        The questions that have a truth.

    Raises:
        DataError: If there is none, or phantoms cannot be drawn.
        DatasetError: If a file cannot be used.
    """
    if isinstance(data, PhantomData):
        place = folder / f"phantoms-{data.split}-{data.n}-{data.seed}-{data.wordings}"
        try:
            _draw_once(data, place)
        except (PhantomError, OSError) as error:
            raise DataError(str(error)) from error
        dataset = load_dataset(place)
    else:
        dataset = load_dataset(
            data.path,
            data.format,
            images=data.images,
            on_bad=data.on_bad,
            limit=data.limit,
            seed=data.seed,
            min_side=data.min_side,
            columns=data.columns,
            cop_base=data.cop_base,
        )
    known = tuple(question for question in dataset.questions if question.answer is not None)
    if not known:
        raise DataError(f"{dataset.name}: no question has a known answer, so there is nothing to learn from")
    return replace(dataset, questions=known)


def _draw_once(data: PhantomData, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f".{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run, or another process of this one, may want the same
        if not (place / "questions.csv").is_file():
            generate(place, data.n, data.seed, data.split, wordings=data.wordings)
