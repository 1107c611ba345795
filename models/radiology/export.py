"""The recipe's questions as files that `trustvqa evaluate` reads, and the controls' versions of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from models.radiology.data.questions import SPLITS, Asked, of_split
from prompt4trust.files import write_atomically

COLUMNS = "question=question,options=options,answer=answer,image=image,id=id,group=kind+source+region"
"""The value of `--columns` for these files."""


def export_questions(asked: Sequence[Asked], folder: Path) -> None:
    """Write a file for each split, and for the test split one with other pictures.

    Args:
        asked: All questions, options in the order of labelling.
        folder: Gets questions-<split>.jsonl, the two halves of `calibration` as questions-fitting.jsonl and
            questions-guarding.jsonl, the first of them with `validation` as questions-fitting-and-validation.jsonl,
            and questions-test-other-picture.jsonl. The pictures stay where they are: name their folder with `--images`.
    """
    for split in SPLITS:
        _write(of_split(asked, split), folder / f"questions-{split}.jsonl")
    first, second = halves(of_split(asked, "calibration"))
    _write(first, folder / "questions-fitting.jsonl")
    _write(second, folder / "questions-guarding.jsonl")
    _write([*first, *of_split(asked, "validation")], folder / "questions-fitting-and-validation.jsonl")
    _write(other_pictures(of_split(asked, "test")), folder / "questions-test-other-picture.jsonl")


def halves(asked: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """Divide questions by picture: a guard's rows must not be those that its calibrator was fitted on."""
    pictures = sorted({each.picture for each in asked})
    first = set(random.Random("halves").sample(pictures, len(pictures) // 2))
    return [each for each in asked if each.picture in first], [each for each in asked if each.picture not in first]


def other_pictures(asked: Sequence[Asked]) -> list[Asked]:
    """Ask each question about another picture of the same region, the right answer left as it was.

    A model that answers as well by it has not looked at the picture beyond the region. Generated questions and their
    like are left out: another picture of the region answers them alike.
    """
    by_region: dict[str, list[str]] = {}
    for each in asked:
        if each.picture not in by_region.setdefault(each.region, []):
            by_region[each.region].append(each.picture)
    made = []
    for each in asked:
        others = [name for name in by_region[each.region] if name != each.picture]
        if not each.generated and others:
            made.append(replace(each, picture=random.Random(f"other {each.picture}").choice(others)))
    return made


def majority_answers(train: Iterable[Asked], asked: Iterable[Asked]) -> dict[str, int]:
    """Answer questions without a picture: by the training split's commonest answer to the same text, else to its kind.

    Args:
        train: Questions of the training split.
        asked: Questions to answer.

    Returns:
        Question -> place of the answer, for all those that training questions say anything about.
    """
    by_text: dict[str, dict[str, int]] = {}
    by_kind: dict[str, dict[str, int]] = {}
    for each in train:
        gold = each.options[each.gold]
        for counts in (by_text.setdefault(_plain(each.text), {}), by_kind.setdefault(each.kind, {})):
            counts[gold] = counts.get(gold, 0) + 1
    found = {}
    for each in asked:
        for counts in (by_text.get(_plain(each.text), {}), by_kind.get(each.kind, {})):
            known = [(counts.get(option, 0), -place) for place, option in enumerate(each.options)]
            most, place = max(known)
            if most:
                found[each.id] = -place
                break
    return found


def _plain(text: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())


def _write(asked: Iterable[Asked], path: Path) -> None:
    rows = [
        {
            "id": each.id,
            "image": each.picture,
            "question": each.text,
            "options": list(each.options),
            "answer": list(each.lettered)[each.gold],
            "kind": each.kind,
            "source": "generated" if each.generated else "asked",
            "region": each.region,
        }
        for each in asked
    ]
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
