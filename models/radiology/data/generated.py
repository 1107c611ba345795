"""Questions made from what is known of a picture: the body part, and the modality where somebody told it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from prompt4trust.datasets._vqa_rad_choices import MODALITIES, modality_of

BODY_PART, MODALITY = "body part", "modality"
PER_PICTURE = 2
"""Body-part questions a picture."""

_PARTS = {"head": "Head", "chest": "Chest", "abd": "Abdomen"}
# Test pictures are asked in wordings that no other split has.
_BODY_WORDINGS = (
    "Which body part is shown?",
    "What part of the body is this?",
    "Which region of the body does the picture show?",
    "What body region was imaged?",
    "Which part of the patient was imaged?",
)
_BODY_TEST_WORDINGS = (
    "What anatomical region is in view?",
    "Of which part of the body is this study?",
    "Which area of the body do we see here?",
)
_MODALITY_WORDINGS = (
    "Which imaging modality was used?",
    "What kind of scan is this?",
    "How was this picture made?",
)
_MODALITY_TEST_WORDINGS = (
    "By which technique was this study acquired?",
    "What type of examination produced this picture?",
)
_IS_THIS = re.compile(r"\bis (?:this|the image)\b.*\b(?:ct|mri|x[ -]?ray|cxr|radiograph)\b", re.IGNORECASE)


def generated_questions(picture: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Make questions about a picture.

    Args:
        picture: Its name, which decides on the wordings.
        rows: What the data ask about it.

    Returns:
        Kinds, questions, and options with the right one first.
    """
    test = rows[0]["split"] == "test"
    rng = random.Random(f"wordings {picture}")
    part = _PARTS[rows[0]["organ"]]
    others = tuple(name for name in _PARTS.values() if name != part)
    wordings = rng.sample(_BODY_TEST_WORDINGS if test else _BODY_WORDINGS, PER_PICTURE)
    made = [(BODY_PART, wording, (part, *others)) for wording in wordings]
    if (modality := known_modality(rows)) is not None:
        wording = rng.choice(_MODALITY_TEST_WORDINGS if test else _MODALITY_WORDINGS)
        rest = tuple(name for name in MODALITIES[:3] if name != modality)
        made.append((MODALITY, wording, (modality, *rest)))
    return made


def known_modality(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Infer a picture's modality from answers about it: X-ray, CT or MRI, None where nobody said or two disagree."""
    told = set()
    for row in rows:
        if "MODALITY" not in row["question_type"]:
            continue
        said, asked = row["answer"].strip().casefold(), row["question"]
        if said not in ("yes", "no"):
            told.add(modality_of(row["answer"]))
        elif said == "yes" and _IS_THIS.search(asked) and not re.search(r"\bor\b", asked, re.IGNORECASE):
            told.add(modality_of(asked))
    told.discard(None)
    found = told.pop() if len(told) == 1 else None
    return found if found in MODALITIES[:3] else None
