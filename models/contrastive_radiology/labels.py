"""Classes of VQA-RAD's pictures, as far as its rows tell them: body part, modality, plane."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.radiology.data.generated import known_modality
from models.radiology.data.questions import rows_by_picture
from prompt4trust.datasets._vqa_rad_choices import modality_of

BODY_PART, MODALITY, PLANE = "body part", "modality", "plane"
CLASSES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    BODY_PART: {
        "Head": ("Head", "Brain", "Skull"),
        "Chest": ("Chest", "Thorax", "Lungs"),
        "Abdomen": ("Abdomen", "Belly", "Abdominal organs"),
    },
    MODALITY: {
        "X-ray": ("X-ray", "Plain film", "Radiograph"),
        "CT": ("CT", "CT scan", "Computed tomography"),
        "MRI": ("MRI", "MR", "Magnetic resonance imaging"),
    },
    PLANE: {
        "Axial": ("Axial", "Transverse", "Axial section"),
        "PA": ("PA", "PA film", "Posteroanterior projection"),
    },
}
"""Task -> class -> its names, its own first. Of other planes the data tell of a picture or two."""

_REGIONS = {"head": "Head", "chest": "Chest", "abd": "Abdomen"}
_PLANES = {
    "Axial": re.compile(r"\baxial|\btransverse(?! colon)", re.IGNORECASE),
    "PA": re.compile(r"\bpa\b|postero-?anterior", re.IGNORECASE),
    "other": re.compile(r"coronal|sagg?ital|\bap\b|lateral", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and what is known of it.

    Attributes:
        picture: Its file's name.
        split: "train", "calibration", "validation" or "test".
        classes: Task -> class, for the tasks that the data tell.
    """

    picture: str
    split: str
    classes: Mapping[str, str]


def read_labelled(folder: Path) -> list[Labelled]:
    """Read what a folder of VQA-RAD tells of its pictures, in the order of their names.

    Args:
        folder: Holds questions.jsonl and images/.

    Raises:
        ValueError: If a picture is in two splits.
        OSError: If the file cannot be read.
    """
    return [
        Labelled(picture, rows[0]["split"], classes_of(rows))
        for picture, rows in sorted(rows_by_picture(folder).items())
    ]


def classes_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Read a picture's classes from what was asked and answered about it; where two rows disagree, nothing is known.

    The body part is the data's own. Modality and plane are known where an answer says them, or a question about
    something else takes them for granted ("Is a fracture seen on this CT?"). Questions of type OTHER are left out: they
    are of the craft in general ("Can ... be told on an MRI?") and not of this picture.

    Example:
        >>> row = {"organ": "head", "question": "Was it cut axial?", "answer": "Yes", "question_type": "PLANE"}
        >>> classes_of([row])
        {'body part': 'Head', 'plane': 'Axial'}
    """
    found = {BODY_PART: _REGIONS[rows[0]["organ"]]}
    modalities = {known_modality(rows), *map(_granted, rows)} - {None}
    planes = set(map(_plane, rows)) - {None}
    for task, told in ((MODALITY, modalities), (PLANE, planes)):
        if len(told) == 1 and (name := str(told.pop())) in CLASSES[task]:
            found[task] = name
    return found


def _granted(row: Mapping[str, Any]) -> str | None:
    kinds = row["question_type"].upper()
    return None if "MODALITY" in kinds or "OTHER" in kinds else modality_of(row["question"])


def _plane(row: Mapping[str, Any]) -> str | None:
    asked, said = row["question"], row["answer"].strip().casefold()
    if "OTHER" in row["question_type"].upper():
        return None
    if "PLANE" in row["question_type"]:
        if said in ("yes", "no"):
            return _only(asked) if said == "yes" and " or " not in asked.casefold() else None
        return _only(row["answer"])
    named = _only(asked)
    return named if named == "Axial" else None  # "lateral" and "PA" mean other things, too


def _only(text: str) -> str | None:
    found = [name for name, words in _PLANES.items() if words.search(text)]
    return found[0] if len(found) == 1 else None
