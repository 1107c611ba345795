"""Answers of VQA-RAD as one of several options: yes or no, alternatives that the question names, and known values."""

from __future__ import annotations

import re

Choice = tuple[str, tuple[str, ...]]
"""A kind of question, and its options with the right one first."""

MODALITIES = ("X-ray", "CT", "MRI", "Ultrasound")
_YES_NO = {"yes": ("Yes", "No"), "no": ("No", "Yes")}
_YES_NO_KINDS = {"PRES": "presence", "ABN": "abnormality", "SIZE": "size"}
_PICTURE_TYPES = {"MODALITY", "PLANE", "ORGAN"}
# Of each group, what an answer may say, by the option that it means.
_ALTERNATIVES: tuple[dict[str, str], ...] = (
    {"Left": r"left", "Right": r"right"},
    {"CT": r"ct", "MRI": r"mri?"},
    {"PA": r"pa", "AP": r"ap"},
    {"T1 weighted": r"t1", "T2 weighted": r"t2", "FLAIR": r"flair"},
    {"Axial": r"axial", "Sagittal": r"sagg?ital"},
    {"Superior": r"superior", "Inferior": r"inferior"},
    {"Solid": r"solid", "Cystic": r"cystic"},
    {"Asymmetric": r"asymm?etric(?:al)?|ragged", "Symmetric": r"symm?etric(?:al)?|regular and uniform"},
    {"Heterogeneous": r"hetero\w+", "Homogeneous": r"homo\w+"},
    {"Regular": r"regular", "Irregular": r"irregular"},
    {"Abnormal": r"abnormal", "Normal": r"normal"},
    {"Normal": r"normal", "Enlarged": r"enlarged"},
    {"Normal": r"normal", "Decreased": r"decreased"},
    {"Bilateral": r"bilateral|both(?: sides)?", "Unilateral": r"unilateral|one"},
    {"Multiple": r"multiple|multilobulated", "Single": r"single|singular|one|1"},
    {"Hyperdense": r"hyper ?dense", "Hypodense": r"hypo ?dense"},
    {"Hyperintense": r"hyper ?intense", "Hypointense": r"hypo ?intense"},
    {"More dense": r"more dense|more", "Less dense": r"less dense|less"},
    {"Radiolucent": r"radiolucent", "Radiopaque": r"radioo?paque"},
    {"Smaller": r"smaller", "Larger": r"larger"},
    {"Male": r"male", "Female": r"female"},
    {"White matter": r"white(?: matter)?", "Grey matter": r"gr[ae]y(?: matter)?"},
    {"Supratentorial": r"supratentorial", "Infratentorial": r"infratentorial"},
    {"Bowels": r"(?:in the )?bowels", "Vasculature": r"(?:in the )?vasculature"},
    {"Outside": r"outside|exterior", "Inside": r"inside|interior"},
    {"With contrast": r"with(?: contrast)?|contrast", "Without contrast": r"without(?: contrast)?|non-?\s?contrast|no"},
    {"Diffuse": r"diffuse", "On one side": r"lateralized|one side"},
    {"Apex": r"apex", "Base": r"base"},
    {"Genetic": r"genetic", "Vascular": r"vascular"},
    {"Abscess": r"abscess", "Cancer": r"cancer"},
    {"Medical process": r"medical process", "Physical injury": r"physical injury"},
    {"Small bowel": r"small bowel", "Colon": r"colon"},
)
_SIDES = ("Left", "Right", "Both sides")
_ASKS_SIDE = re.compile(
    r"^\s*(where|(?:in |on )?(?:which|what)\s+(?:\w+\s+){0,3}?(?:side|lung|lobe|hemisphere|kidney|hemidiaphragm"
    r"|diaphragm|half|direction|way)|what (?:is|are) the location)",
    re.IGNORECASE,
)
_ASKS_MODALITY = re.compile(
    r"modality|type of imag|kind of image|imaging method|image taken|used to take|taken with", re.IGNORECASE
)
_ASKS_SEQUENCE = re.compile(r"\bMRI?\b|weight|sequence", re.IGNORECASE)
_ASKS_ORGAN = re.compile(
    r"^\s*(?:what|which|can you name the) (?:is the |is one |part of the )?(?:organ|body|organ system)", re.IGNORECASE
)
_NOT_ORGAN = re.compile(r"abnormal|highlight|superimpos|pathology|can be evaluated|inferior", re.IGNORECASE)
_MODALITY_WORDS = {
    "X-ray": re.compile(r"x[ -]?ray|\bxr\b|\bcxr\b|plain film|radiograph", re.IGNORECASE),
    "CT": re.compile(r"\bct\b", re.IGNORECASE),
    "MRI": re.compile(r"\bmri?\b|flair|\bdwi\b|\badc\b|\bt[12]\b", re.IGNORECASE),
    "Ultrasound": re.compile(r"ultrasound", re.IGNORECASE),
}
_SEQUENCES = {
    "T1 weighted": re.compile(r"\bt1\b", re.IGNORECASE),
    "T2 weighted": re.compile(r"\bt2\b", re.IGNORECASE),
    "FLAIR": re.compile(r"flair", re.IGNORECASE),
    "Diffusion weighted": re.compile(r"diffusion|\bdwi\b|\badc\b", re.IGNORECASE),
}
_PLANES = {
    "Axial": re.compile(r"axial|transverse", re.IGNORECASE),
    "Coronal": re.compile(r"coronal", re.IGNORECASE),
    "Sagittal": re.compile(r"sagg?ital", re.IGNORECASE),
}
_PROJECTIONS = {
    "PA": re.compile(r"\bpa\b|postero-?anterior", re.IGNORECASE),
    "AP": re.compile(r"\bap\b", re.IGNORECASE),
    "Lateral": re.compile(r"lateral", re.IGNORECASE),
}
_ORGANS = {
    "Brain": re.compile(r"brain|\bcns\b", re.IGNORECASE),
    "Chest": re.compile(r"chest|lung|respiratory|pulmonary|heart|cardio", re.IGNORECASE),
    "Abdomen": re.compile(r"abdom|gastro|\bgi\b|liver", re.IGNORECASE),
}


def as_choice(question: str, answer: str, answer_type: str, question_type: str) -> Choice | None:
    """Read a question and its answer as one of several options.

    Args:
        question: As it is asked.
        answer: As it was given.
        answer_type: "closed" or "open".
        question_type: VQA-RAD's types, with commas between.

    Returns:
        The kind and the options, the right one first, or None where an answer cannot be chosen from options that
        others would have named.

    Example:
        >>> as_choice("In which plane was it cut?", "Axial", "open", "PLANE")
        ('plane', ('Axial', 'Coronal', 'Sagittal'))
    """
    types = {part.strip().upper() for part in question_type.split(",")}
    said = answer.strip()
    if (both := _YES_NO.get(said.casefold())) is not None:
        return (_yes_no_kind(types), both) if answer_type == "closed" else None
    if len(said.split()) > 12:
        return None
    for reader in (_alternative, _modality, _plane, _organ, _side):
        if (found := reader(question, said, types)) is not None:
            return found
    return None


def modality_of(text: str) -> str | None:
    """Name the one modality that a text speaks of, or None where it speaks of none or of several."""
    return _only(text, _MODALITY_WORDS)


def _yes_no_kind(types: set[str]) -> str:
    if types & _PICTURE_TYPES:
        return "image, yes or no"
    return next((kind for name, kind in _YES_NO_KINDS.items() if name in types), "other, yes or no")


def _alternative(question: str, answer: str, _: set[str]) -> Choice | None:
    """Options that the question itself names, where the answer is one of them."""
    if not re.search(r"\b(?:or|vs)\b", question, re.IGNORECASE):
        return None
    asked, said = question.casefold(), answer.casefold()
    for group in _ALTERNATIVES:
        named = [option for option, words in group.items() if re.search(rf"\b(?:{words})\b", asked)]
        meant = [option for option, words in group.items() if re.search(rf"^(?:the |in the )?(?:{words})\b", said)]
        if len(named) == len(group) and len(meant) == 1:
            return _kind_of(group), (meant[0], *(option for option in group if option != meant[0]))
    return None


def _kind_of(group: dict[str, str]) -> str:
    for kind, names in (("modality", MODALITIES), ("sequence", _SEQUENCES), ("plane", {**_PLANES, **_PROJECTIONS})):
        if set(group) <= set(names):
            return kind
    return "A or B"


def _modality(question: str, answer: str, types: set[str]) -> Choice | None:
    if "MODALITY" not in types or ("contrast" in answer.casefold() and "ct" not in answer.casefold()):
        return None
    sequence = _only(answer, _SEQUENCES)
    if sequence is not None and _ASKS_SEQUENCE.search(question):
        return "sequence", _rest(sequence, tuple(_SEQUENCES))
    found = modality_of(answer)
    if found is None or not _ASKS_MODALITY.search(question):
        return None
    return "modality", _rest(found, MODALITIES)


def _plane(_: str, answer: str, types: set[str]) -> Choice | None:
    if "PLANE" not in types:
        return None
    for names in (_PLANES, _PROJECTIONS):
        if (found := _only(answer, names)) is not None:
            return "plane", _rest(found, tuple(names))
    return None


def _organ(question: str, answer: str, types: set[str]) -> Choice | None:
    if not _ASKS_ORGAN.search(question) or _NOT_ORGAN.search(question) or "ORGAN" not in types:
        return None
    found = _only(answer, _ORGANS)
    return None if found is None else ("organ", _rest(found, tuple(_ORGANS)))


def _side(question: str, answer: str, _: set[str]) -> Choice | None:
    if not _ASKS_SIDE.search(question) or re.search(r"\b(?:left|right)\b", question, re.IGNORECASE):
        return None
    words = set(re.findall(r"[a-z]+", answer.casefold()))
    meant = [
        side for side, spelt in zip(_SIDES, ({"left"}, {"right"}, {"bilateral", "both"}), strict=True) if words & spelt
    ]
    return ("side", _rest(meant[0], _SIDES)) if len(meant) == 1 else None


def _only(text: str, names: dict[str, re.Pattern[str]]) -> str | None:
    found = [name for name, words in names.items() if words.search(text)]
    return found[0] if len(found) == 1 else None


def _rest(first: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return (first, *(name for name in names if name != first))
