"""Hints: what a policy may write, by the evidence that a hint points at."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Literal

Part = Literal["train", "held out"]
"""Wordings that training uses, and those that it never sees."""

KINDS = ("none", "neutral", "cautious", "other", "fitting")
"""Kinds of hints: none, about no evidence, a call for caution, about other evidence than is asked for, and about it."""

EVIDENCE: Mapping[str, str] = {
    "body part": "region",
    "organ": "region",
    "modality": "technique",
    "sequence": "technique",
    "image, yes or no": "technique",
    "plane": "plane",
    "side": "side",
    "size": "size",
    "presence": "finding",
    "abnormality": "finding",
    "other, yes or no": "finding",
    "A or B": "finding",
}
"""Kind of question -> the evidence that it is answered by."""

_OPENERS = {
    "train": ("Weigh", "Consider", "Judge by", "Look at", "Rest your confidence on"),
    "held out": ("Base your certainty on", "Pay heed to", "Go by"),
}
_CUES: Mapping[str, Mapping[Part, tuple[str, ...]]] = {
    "region": {
        "train": (
            "the bones and organs that mark the body region",
            "which part of the body the outline belongs to",
            "the anatomy that tells head, chest and abdomen apart",
        ),
        "held out": ("the structures by which one knows the region of the body", "what anatomy fills the frame"),
    },
    "technique": {
        "train": (
            "how bright bone and air are, which tells the modality",
            "the look of the scan that X-ray, CT or MRI gives",
            "the grey levels of the imaging technique",
        ),
        "held out": ("the contrast and noise of the imaging method", "how the scanner renders bone and fluid"),
    },
    "plane": {
        "train": (
            "the direction of the cut through the body",
            "whether the slice is seen from below, front or side",
            "the symmetry that gives the imaging plane away",
        ),
        "held out": ("the orientation of the slice", "from which direction the section was taken"),
    },
    "side": {
        "train": (
            "the left and the right half, one against the other",
            "on which side the difference between both halves lies",
            "the side markers and where each half differs",
        ),
        "held out": ("how one side compares with its mirror image", "whether left, right or both halves changed"),
    },
    "size": {
        "train": (
            "the size of the organ against its neighbours",
            "the width of the structure relative to the whole",
            "the measured extent, not the first impression",
        ),
        "held out": ("how large the structure is for its place", "dimensions compared with what is usual"),
    },
    "finding": {
        "train": (
            "whether the sign itself can be seen, not how common it is",
            "how plainly the finding shows in the tissue",
            "the visible evidence for the lesion, which may be missing",
        ),
        "held out": ("what the tissue really shows of the disease", "if the abnormality is visible at all"),
    },
}
_NEUTRAL: Mapping[Part, tuple[str, ...]] = {
    "train": ("Read the question with care.", "Take your time.", "Think it through before you reply.", "Be attentive."),
    "held out": ("Go over everything calmly.", "Give it proper thought."),
}
_CAUTIOUS: Mapping[Part, tuple[str, ...]] = {
    "train": ("Do not be overconfident.", "Be modest about what you know.", "State a low confidence when in doubt."),
    "held out": ("Stay humble in what you claim.", "Avoid too much certainty."),
}
FAMILIES = (*_CUES, "neutral", "cautious")
"""All families of hints."""


def family_for(kind: str, question_kind: str, rng: random.Random) -> str | None:
    """Turn what a hint is to a question into a family of hints; None for no hint."""
    own = EVIDENCE[question_kind]
    match kind:
        case "none":
            return None
        case "fitting":
            return own
        case "other":
            return rng.choice([name for name in _CUES if name != own])
        case _:
            return kind


def draw_hint(family: str | None, part: Part, rng: random.Random) -> str:
    """Word a hint of a family.

    Example:
        >>> draw_hint(None, "train", random.Random(0))
        ''
    """
    if family is None:
        return ""
    if family == "neutral":
        return rng.choice(_NEUTRAL[part])
    if family == "cautious":
        return rng.choice(_CAUTIOUS[part])
    return f"{rng.choice(_OPENERS[part])} {rng.choice(_CUES[family][part])}."


def fixed_hints() -> list[str]:
    """List one hint of each family, two of those about no evidence: what may be said to every question."""
    rng = random.Random("fixed hints")
    drawn = (draw_hint(family, "train", rng) for family in (*FAMILIES, "neutral", "cautious"))
    return list(dict.fromkeys(drawn))


def family_of(hint: str) -> str | None:
    """Recognise the family of a hint by its cue; None for text that holds no cue, or those of several families."""
    said = hint.casefold()
    found = {name for name, parts in _CUES.items() for cues in parts.values() for cue in cues if cue.casefold() in said}
    for name, texts in (("neutral", _NEUTRAL), ("cautious", _CAUTIOUS)):
        if any(text.casefold().rstrip(".") in said for part in texts.values() for text in part):
            found.add(name)
    return found.pop() if len(found) == 1 else None
