"""A question with options, and the reading of VQA-RAD's questions as such."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.radiology.data.generated import generated_questions
from prompt4trust.datasets._vqa_rad_choices import as_choice
from prompt4trust.questions import letter_options

SPLITS = ("train", "calibration", "validation", "test")


@dataclass(frozen=True, slots=True)
class Asked:
    """A multiple-choice question about a picture.

    Attributes:
        id: Unique within the data.
        picture: Its file's name.
        split: "train", "calibration", "validation" or "test"; a picture's questions share it.
        region: What the data say is shown: "head", "chest" or "abd".
        kind: Kind of question, see `KINDS`.
        text: The question.
        options: Texts in the order in which they are asked.
        gold: Place of the right one.
        generated: Whether the question was made here from what is known of the picture.
    """

    id: str
    picture: str
    split: str
    region: str
    kind: str
    text: str
    options: tuple[str, ...]
    gold: int
    generated: bool = False

    @property
    def lettered(self) -> dict[str, str]:
        """Options by letter."""
        return letter_options(self.options)

    def reordered(self, rng: random.Random) -> Asked:
        """Put the options in another order."""
        order = rng.sample(range(len(self.options)), len(self.options))
        options = tuple(self.options[place] for place in order)
        return replace(self, options=options, gold=order.index(self.gold))


def read_questions(folder: Path, seed: int) -> list[Asked]:
    """Read a folder of VQA-RAD as multiple choice.

    Args:
        folder: Holds questions.jsonl and images/; splits are those that the file gives, by picture.
        seed: Of the order of the options: one and the same wherever a question is asked.

    Returns:
        Questions that the data ask, and those made from what is known of a picture, in the file's order. Open ones
        whose answers cannot be chosen from are left out.

    Raises:
        ValueError: If a picture is in two splits.
        OSError: If the file cannot be read.
    """
    rows = _rows(folder)
    pictures = _by_picture(rows)
    found = [*_asked(rows), *_generated(pictures)]
    return [each.reordered(random.Random(f"{seed} {each.id}")) for each in found]


def picture_splits(folder: Path) -> dict[str, str]:
    """Read the split of every picture; ValueError where a picture is in two."""
    return {picture: rows[0]["split"] for picture, rows in _by_picture(_rows(folder)).items()}


def rows_by_picture(folder: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Read a folder's rows as they stand there, by picture; ValueError where a picture is in two splits."""
    return _by_picture(_rows(folder))


def of_split(asked: Iterable[Asked], *splits: str) -> list[Asked]:
    """Choose the questions of some splits."""
    return [each for each in asked if each.split in splits]


def _rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _asked(rows: Iterable[Mapping[str, Any]]) -> list[Asked]:
    found = []
    for row in rows:
        chosen = as_choice(row["question"], row["answer"], row["answer_type"], row["question_type"])
        if chosen is not None:
            kind, options = chosen
            found.append(
                Asked(row["id"], row["image"], row["split"], row["organ"], kind, row["question"].strip(), options, 0)
            )
    return found


def _generated(pictures: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Asked]:
    found = []
    for picture, rows in pictures.items():
        split, region = rows[0]["split"], rows[0]["organ"]
        for number, (kind, text, options) in enumerate(generated_questions(picture, rows)):
            name = f"{Path(picture).stem}-{kind.replace(' ', '-')}-{number}"
            found.append(Asked(name, picture, split, region, kind, text, options, 0, generated=True))
    return found


def _by_picture(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    pictures: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        pictures.setdefault(row["image"], []).append(row)
    for picture, own in pictures.items():
        if len({row["split"] for row in own}) > 1:
            raise ValueError(f"{picture} is in more than one split")
    return pictures


def known_parts(asked: Iterable[Asked]) -> dict[str, dict[str, str]]:
    """Gather what right answers say of each picture: attribute -> word, for body part, modality and plane."""
    found: dict[str, dict[str, str]] = {}
    for each in asked:
        if each.kind in ("body part", "modality", "plane"):
            found.setdefault(each.picture, {})[each.kind] = each.options[each.gold]
    return found
