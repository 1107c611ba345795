"""`python -m benchmarks.meaning.threshold`: at which cosine two short answers say the same, on pairs of our own.

Half of the pairs choose the threshold: the least at which no different pair is joined there, in steps of a hundredth,
and 0.05 more for what nobody thought of. The other half is what figures are of. Pairs are written by hand; their labels
are what a reader of English takes them for, and no physician has checked them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from prompt4trust.meaning import normalised
from prompt4trust.meaning.bert import Encoder
from prompt4trust.meaning.marks import marks_of
from prompt4trust.meaning.minilm import minilm
from prompt4trust.metrics.proportions import wilson_interval

HERE = Path(__file__).parent
MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers, whether they say the same, and how like they are; unlike by a mark is -1."""

    left: str
    right: str
    same: bool
    cosine: float
    plain: float

    @property
    def chooses(self) -> bool:
        """Whether it belongs to the half that the threshold is chosen on."""
        return hashlib.sha256(f"{self.left} = {self.right}".encode()).digest()[0] % 2 == 0


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


def choose(pairs: list[Pair]) -> float:
    """Choose a threshold: the least, in hundredths, at which none of the different pairs is joined, and the margin."""
    nearest = max(pair.cosine for pair in pairs if not pair.same)
    return round(next(step / 100 for step in range(50, 101) if step / 100 > nearest) + MARGIN, 2)


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
    """Choose, and print the figures of the other half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="list the pairs that are read wrong at the threshold")
    asked = parser.parse_args()
    pairs = read_pairs(minilm())
    threshold = choose([pair for pair in pairs if pair.chooses])
    others = [pair for pair in pairs if not pair.chooses]
    steps = [figures(others, step / 100) for step in (70, 75, 80, 85, 90, 95)]
    print(json.dumps({"chosen_on": len(pairs) - len(others), **figures(others, threshold), "others": steps}, indent=1))
    if asked.show:
        for pair in sorted(pairs, key=lambda each: -each.cosine):
            if pair.same != (pair.cosine >= threshold):
                print(f"{pair.cosine:.3f} {'same' if pair.same else 'different'}: {pair.left} = {pair.right}")


if __name__ == "__main__":
    main()
