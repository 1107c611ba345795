"""Open answers in one spelling: case, articles, plurals, British forms, numbers and common abbreviations."""

from __future__ import annotations

from prompt4trust.meaning.tokens import tokens

_LEADS = frozenset(
    [(first, verb) for first in ("there", "it", "this", "that") for verb in ("is", "was")]
    + [(first, verb) for first in ("there", "these", "those") for verb in ("are", "were")]
)
_VERBS_AND_SUCH = "is are was were has have show with without within of in on at to for from by as like"
_BEFORE_ARTICLES = frozenset(_VERBS_AND_SUCH.split())
"""Words behind which "a" is an article: behind a noun it is a class ("vitamin a deficiency", "type a")."""
_CLASSED = (
    "type group class grade stage category zone segment blood line wave fiber cell chain band ring virus strep and or "
    "streptococcus hepatitis antigen allele deficiency dissection positive negative pos neg rh fib flutter"
)
_OF_CLASSES = frozenset(_CLASSED.split())
"""Words before which "a" may be a class or an abbreviation: "A wave", "A positive", "A fib"."""
_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {word: str(number) for number, word in enumerate(_COUNTED.split())}
_PHRASES = {
    ("computed", "tomography"): "ct",
    ("computerized", "tomography"): "ct",
    ("computerised", "tomography"): "ct",
    ("magnetic", "resonance", "imaging"): "mri",
    ("mr", "imaging"): "mri",
    ("ct", "scan"): "ct",
    ("mri", "scan"): "mri",
    ("x", "ray"): "radiograph",
    ("x", "-", "ray"): "radiograph",
    ("plain", "film"): "radiograph",
    ("gall", "bladder"): "gallbladder",
}
"""Only what has no second reading: "MR" is mitral regurgitation, too, "RT" radiotherapy, "CNS" a staphylococcus."""
_LONGEST_PHRASE = max(map(len, _PHRASES))
_WORDS = {
    "xray": ("radiograph",),
    "cxr": ("chest", "radiograph"),
    "radiography": ("radiograph",),
    "sonography": ("ultrasound",),
    "ultrasonography": ("ultrasound",),
    "sonogram": ("ultrasound",),
    "metastases": ("metastasis",),
    "vertebrae": ("vertebra",),
    "diverticula": ("diverticulum",),
    "bronchi": ("bronchus",),
    "nuclei": ("nucleus",),
}
_BRITISH = (("oedema", "edema"), ("haem", "hem"), ("tumour", "tumor"), ("oesoph", "esoph"), ("grey", "gray"))
_BRITISH_ENDS = (("aemia", "emia"), ("rrhoea", "rrhea"), ("paed", "ped"), ("coloured", "colored"), ("fibre", "fiber"))
_NO_PLURALS = frozenset({"aids", "ards", "caps", "mets", "pans", "pots", "sars", "sids", "tips"})
"""Abbreviations that would be other words without their s."""
_LONGEST = 2_000


def normalised(text: str) -> str:
    """Write an answer in one spelling, its words in their order.

    Left and right, negations, numbers, comparisons, signs and units stay as they are: they are what answers differ in.
    An article is left out where it is surely one.

    Args:
        text: Anything; of more than 2 000 characters the rest counts as it is spelt.

    Returns:
        Words with single blanks between, themselves in one spelling; "" where nothing is left.

    Example:
        >>> normalised("The Pleural Effusions."), normalised("There is a pleural effusion")
        ('pleural effusion', 'pleural effusion')
        >>> normalised("CT scan, two haematomas < 3cm"), normalised("Hepatitis A")
        ('ct 2 hematoma < 3 cm', 'hepatitis a')
    """
    head, rest = text[:_LONGEST], text[_LONGEST:]
    said: list[str] = []
    for found in tokens(head):
        for word in _WORDS.get(found) or _usual(_american(_singular(found))):
            said.append(word)
            while _is_shortened(said):
                pass
    return f"{' '.join(said)} {rest}" if rest else " ".join(said)


def same_text(answer: str, other: str) -> bool:
    """Whether two answers are the same in one spelling; false where nothing is left of them.

    Example:
        >>> same_text("X-ray of the chest", "x ray of chest"), same_text("left lung", "right lung")
        (True, False)
    """
    said = normalised(answer)
    return bool(said) and said == normalised(other)


def _is_shortened(said: list[str]) -> bool:
    """Shorten the end of what was said by one rule, in place; whether one applied.

    Each word is looked at as it comes: so no rule applies to any beginning of the result, and it is its own spelling.
    """
    for length in range(2, min(_LONGEST_PHRASE, len(said)) + 1):
        if short := _PHRASES.get(tuple(said[-length:])):
            said[-length:] = [short]
            return True
    if len(said) == 3 and (said[0], said[1]) in _LEADS:
        del said[:2]
        return True
    if len(said) >= 2 and _is_article(said[-2], said[-1], said[-3] if len(said) > 2 else None):
        del said[-2]
        return True
    return False


def _is_article(word: str, following: str, before: str | None) -> bool:
    if word == "the":
        return following[0].isalnum()
    if word not in ("a", "an") or not (before is None or before in _BEFORE_ARTICLES):
        return False
    return len(following) > 1 and following[0].isalpha() and following not in _OF_CLASSES


def _usual(word: str) -> tuple[str, ...]:
    return _WORDS.get(word) or (_NUMBERS.get(word, word),)


def _american(word: str) -> str:
    for british, american in _BRITISH_ENDS:
        while word.endswith(british):
            word = word[: -len(british)] + american
    for british, american in _BRITISH:
        if word.startswith(british):
            word = american + word[len(british) :]
    return word


def _singular(word: str) -> str:
    """Take a plural's ending off where no other word can come of it."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")) or word in _NO_PLURALS:
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y" if len(word) > 5 else word
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1]
