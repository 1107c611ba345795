"""Readers that turn question files into one record type, and the synthetic benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from prompt4trust.datasets._base import Dataset, OnBad, Source, fingerprint
from prompt4trust.datasets.medmcqa import read_medmcqa
from prompt4trust.datasets.pmc_vqa import read_pmc_vqa
from prompt4trust.errors import DatasetError

__all__ = [
    "Dataset",
    "DatasetError",
    "Kind",
    "OnBad",
    "Source",
    "fingerprint",
    "load_dataset",
    "read_medmcqa",
    "read_pmc_vqa",
]

Kind = Literal["pmc-vqa", "medmcqa"]


def load_dataset(
    path: Path,
    kind: Kind | None = None,
    *,
    images: Path | None = None,
    on_bad: OnBad = "error",
    limit: int | None = None,
    seed: int = 42,
    min_side: int | None = None,
) -> Dataset:
    """Read a question file of any known kind.

    Args:
        path: The file, or a folder that holds questions.csv.
        kind: The file's format, or None to tell by its name and, failing that, its first character.
        images: Folder of the pictures; by default found beside the file.
        on_bad: "error" refuses a file with bad rows and lists the first few; "skip" leaves them out and counts them.
        limit: Draw this many usable questions, or None for all.
        seed: Seed of the draw.
        min_side: Leave out questions whose picture does not open or is smaller on a side, in pixels.

    Returns:
        The questions, and what was left out.

    Raises:
        DatasetError: If there is no such file, or it cannot be used.
    """
    if path.is_dir():
        path = path / "questions.csv"
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    if (kind or _kind(path)) == "medmcqa":
        dataset = read_medmcqa(path, on_bad=on_bad, limit=limit, seed=seed)
    else:
        dataset = read_pmc_vqa(path, images, on_bad=on_bad, limit=limit, seed=seed, min_side=min_side)
    folder = None if images is None else str(images.absolute())
    return replace(dataset, source=Source(str(path.absolute()), folder))


def _kind(path: Path) -> Kind:
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson", ".json"}:
        return "medmcqa"
    if suffix == ".csv":
        return "pmc-vqa"
    with path.open("rb") as stream:
        return "medmcqa" if stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "pmc-vqa"
