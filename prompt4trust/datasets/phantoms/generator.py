"""Phantom-VQA as files: a question table in PMC-VQA's format and a folder of pictures."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image

from prompt4trust.datasets.phantoms.questions import PhantomQuestion, Wordings, sample_question
from prompt4trust.datasets.phantoms.rendering import render
from prompt4trust.datasets.phantoms.scene import Scene, sample_scene
from prompt4trust.errors import PhantomError

# The number is part of every picture's seed: renumbering a split changes its pictures.
SPLITS: Final = MappingProxyType({"train": 0, "calibration": 1, "validation": 2, "test": 3})

MAX_PICTURES: Final = 1_000_000
COLUMNS: Final = (
    *("Figure_path", "Question", "Answer", "Choice A", "Choice B", "Choice C", "Choice D", "Answer_label"),
    *("modality", "family", "difficulty"),
)


def split_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Random generator of one picture.

    Every (seed, split, index) has a stream of its own, whatever the seed: the split's number and the index are
    NumPy SeedSequence spawn keys, and the seed is short enough never to reach into the words that hold them.

    Args:
        seed: 0 to 2**63 - 1.
        split: one of `SPLITS`.
        index: the picture's place in the split, from 0.

    Raises:
        PhantomError: for an unknown split or a seed out of range.
    """
    if split not in SPLITS:
        raise PhantomError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if not 0 <= seed < 2**63:
        raise PhantomError(f"the seed must be between 0 and 2**63 - 1, not {seed}")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(SPLITS[split], index))))


def samples(
    n: int, seed: int, split: str, wordings: Wordings = "train", start: int = 0
) -> Iterator[tuple[Scene, PhantomQuestion]]:
    """Scenes with one four-option question each, in order; a longer run begins with the same samples.

    Args:
        n: how many.
        seed: 0 to 2**63 - 1.
        split: one of `SPLITS`.
        wordings: which question wordings to draw from.
        start: index of the first sample.
    """
    for index in range(start, start + n):
        rng = split_rng(seed, split, index)
        scene = sample_scene(rng)
        yield scene, sample_question(rng, scene, wordings=wordings)


def generate(
    out_dir: Path,
    n: int,
    seed: int,
    split: str = "test",
    *,
    wordings: Wordings = "train",
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write a data set: `questions.csv` and `images/*.png`; the same arguments give the same bytes.

    Args:
        out_dir: folder to make; it appears only when it is complete.
        n: number of pictures, each with one question, 1 to 1 000 000.
        seed: 0 to 2**63 - 1.
        split: one of `SPLITS`; splits never share a picture.
        wordings: which question wordings to draw from.
        overwrite: replace `out_dir` if it is there and not empty.
        progress: called with the number of pictures done after each.

    Returns:
        The path of `questions.csv`.

    Raises:
        PhantomError: if an argument is out of range or `out_dir` holds something and `overwrite` is off.
    """
    if not 1 <= n <= MAX_PICTURES:
        raise PhantomError(f"the number of pictures must be between 1 and {MAX_PICTURES}, not {n}")
    split_rng(seed, split, 0)
    if out_dir.exists() and not out_dir.is_dir():
        raise PhantomError(f"{out_dir} is a file; name a folder")
    if out_dir.exists() and any(out_dir.iterdir()) and not overwrite:
        raise PhantomError(f"{out_dir} is not empty; name another folder or pass --overwrite")
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    try:
        work.chmod(0o755)
        _write(work, n, seed, split, wordings, progress)
        _swap_in(work, out_dir)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out_dir / "questions.csv"


def _write(
    folder: Path, n: int, seed: int, split: str, wordings: Wordings, progress: Callable[[int], None] | None
) -> None:
    """Fill a folder with pictures and the table."""
    images = folder / "images"
    images.mkdir()
    with (folder / "questions.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(COLUMNS)
        for index, (scene, question) in enumerate(samples(n, seed, split, wordings)):
            name = f"phantom_{split}_{seed}_{index:06d}.png"
            Image.fromarray(render(scene)).save(images / name, format="PNG", compress_level=6)
            letter = "ABCD"[question.answer]
            about = (scene.modality, question.family, f"{scene.difficulty:.4f}")
            table.writerow((name, question.text, question.gold, *question.options, letter, *about))
            if progress is not None:
                progress(index + 1)


def _swap_in(work: Path, out_dir: Path) -> None:
    """Put the finished folder in its place; an old one is moved aside first and then removed."""
    if not out_dir.exists():
        work.rename(out_dir)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-old-", dir=out_dir.parent))
    try:
        out_dir.rename(aside / "old")
        work.rename(out_dir)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
