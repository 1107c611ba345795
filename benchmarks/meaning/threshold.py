"""`python -m benchmarks.meaning.threshold`: which short answers the encoder takes for one, on pairs of our own.

Marks tell all of the different pairs apart, so that none is left to choose a cosine by: the threshold is the least that
is thought of, 0.5, and 0.05 more, and keeps apart what the encoder finds plainly unlike. Pairs are written by hand;
their labels are what a reader of English takes them for, and no physician has checked them. The list of synonyms was
written by who had seen the pairs that say the same: their figures say what it holds, not what it reaches. Those
without marks are of the encoder alone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from prompt4trust.meaning import normalised
from prompt4trust.meaning.bert import Encoder
from prompt4trust.meaning.embedded import THRESHOLD
from prompt4trust.meaning.marks import marks_of
from prompt4trust.meaning.minilm import minilm
from prompt4trust.metrics.proportions import wilson_interval

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers, whether they say the same, and how like they are; unlike by a mark is -1."""

    left: str
    right: str
    same: bool
    cosine: float
    plain: float


def read_pairs(encoder: Encoder) -> list[Pair]:
    """Read the pairs and compare them; those that are one in spelling are left out."""
    found = []
    for name, same in (("same", True), ("different", False)):
        for line in (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            left, right = (part.strip() for part in line.split(" = "))
            if normalised(left) == normalised(right):
                continue
            rows = encoder.encode([normalised(left), normalised(right)])
            plain = float(rows[0] @ rows[1])
            cosine = plain if marks_of(left) == marks_of(right) else -1.0
            found.append(Pair(left, right, same, cosine, plain))
    return found


def figures(pairs: list[Pair], threshold: float) -> dict[str, object]:
    """Count what is joined at a threshold, with Wilson's intervals."""
    told: dict[str, object] = {"threshold": threshold}
    for name, same in (("same", True), ("different", False)):
        of = [pair for pair in pairs if pair.same == same]
        for by, joined in (
            ("joined", sum(pair.cosine >= threshold for pair in of)),
            ("joined_without_marks", sum(pair.plain >= threshold for pair in of)),
        ):
            low, high = wilson_interval(joined, len(of))
            told[f"{name}_{by}"] = {"count": joined, "of": len(of), "low": round(low, 3), "high": round(high, 3)}
    return told


def main() -> None:
    """Print the figures at the threshold, and at others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="list the pairs that are read wrong at the threshold")
    asked = parser.parse_args()
    pairs = read_pairs(minilm())
    others = [figures(pairs, step / 100) for step in (50, 60, 70, 80, 85, 90, 95)]
    print(json.dumps({**figures(pairs, THRESHOLD), "others": others}, indent=1))
    if asked.show:
        for pair in sorted(pairs, key=lambda each: -each.cosine):
            if pair.same != (pair.cosine >= THRESHOLD):
                print(f"{pair.cosine:.3f} {'same' if pair.same else 'different'}: {pair.left} = {pair.right}")


if __name__ == "__main__":
    main()
