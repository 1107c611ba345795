"""Hints (calibration guidance prompts) by what they mean, with wordings kept back from training.

Every hint is an opener, a cue and a closer. Only the cue carries the meaning; openers and closers are shared by all
families, so that none gives a family away. Each list is split: the last entries are never used in training, and a
held-out hint takes all of its parts from them. A model that follows those has learned what hints mean.
"""

import random

from models.recipe.data.hint_wordings import CLOSERS, CUES, OBJECTS, OPENERS, VERBS, Part

QUESTION_FAMILIES = ("modality", "side", "level", "number", "size", "shape")
GENERIC_FAMILIES = ("neutral", "encouraging", "cautious", "weighing")


def evidence(question_family: str) -> str:
    """Name the hint family that points at the evidence for a question family, such as `evidence:size`."""
    return f"evidence:{question_family}"


HINT_FAMILIES = ("none", *GENERIC_FAMILIES, *(evidence(family) for family in QUESTION_FAMILIES))


def sample_hint(rng: random.Random, family: str, part: Part = "train") -> str:
    """Draw one wording of a hint.

    Args:
        rng: source of randomness.
        family: one of HINT_FAMILIES.
        part: "train", or "held_out" for wordings whose every part was kept out of training.

    Returns:
        The hint; empty for "none".
    """
    if family == "none":
        return ""
    if family.startswith("evidence:"):
        cue = f"{rng.choice(VERBS.of(part))} {rng.choice(OBJECTS[family.removeprefix('evidence:')].of(part))}"
    else:
        cue = rng.choice(CUES[family].of(part))
    text = f"{rng.choice(OPENERS.of(part))}{cue}{rng.choice(CLOSERS.of(part))}"
    return text[0].upper() + text[1:]


def recognise(text: str) -> str:
    """Name the family of a hint by the cue that it holds, "none" if empty, "unknown" if it holds no whole cue.

    Args:
        text: a hint, from `sample_hint` or from a policy that was trained on such.
    """
    if not text.strip():
        return "none"
    lowered = text.lower()
    found = [(len(cue), family) for family, phrases in CUES.items() for cue in phrases.all if cue in lowered]
    found += [
        (len(cue), evidence(family)) for family, phrases in OBJECTS.items() for cue in phrases.all if cue in lowered
    ]
    return max(found)[1] if found else "unknown"


def relation(hint: str, question_family: str) -> str:
    """Name what a hint is to a question: "fitting", "other" (another family's evidence), or as `recognise` names it."""
    family = recognise(hint)
    if family == evidence(question_family):
        return "fitting"
    return "other" if family.startswith("evidence:") else family
