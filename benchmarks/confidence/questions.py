"""Phantom questions of the comparison: to fit calibrators, to prove promises, and to report on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prompt4trust.datasets import Dataset, load_dataset
from prompt4trust.datasets.phantoms import generate


@dataclass(frozen=True, slots=True)
class Part:
    """Questions for one purpose.

    Attributes:
        split: Their split of Phantom-VQA.
        seed: Seed of their draw within it.
        share: Their number as a share of the test questions'.
        least: Their least number.
        most: Their largest number.
    """

    split: str
    seed: int
    share: float
    least: int
    most: int

    def count(self, tested: int) -> int:
        """Count the questions beside so many test questions."""
        return min(max(round(self.share * tested), self.least), self.most)


PARTS: Mapping[str, Part] = {
    "calibration": Part("calibration", 11, 1.0, 100, 1000),
    "guard": Part("calibration", 12, 0.8, 200, 3000),
    "test": Part("test", 1, 1.0, 1, 1_000_000),
}
"""Name -> questions. Calibrators are fitted on the first, thresholds of deferral on the second; the table is of the
third, the first test questions of docs/results.md."""


def questions(folder: Path, part: str, tested: int) -> Dataset:
    """Draw the questions of a part, or read them where they have been drawn before.

    Args:
        folder: Where data sets lie.
        part: One of `PARTS`.
        tested: Number of test questions.
    """
    drawn = PARTS[part]
    count = drawn.count(tested)
    place = folder / f"{part}-{count}"
    table = place / "questions.csv"
    return load_dataset(table if table.exists() else generate(place, count, seed=drawn.seed, split=drawn.split))
