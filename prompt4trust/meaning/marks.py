"""Marks, which two answers must have in common whatever an encoder says: sides, negations, numbers, opposites.

A sentence encoder puts "left effusion" beside "right effusion": they are about the same thing. In medicine they are two
answers, and who takes them for one is sure of what nobody said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prompt4trust.meaning.normalised import normalised

_OPPOSITES: Final = (
    "left right bilateral unilateral both either neither",
    "no not none without absent absence negative never nor free lack lacking denies unremarkable normal abnormal "
    "present presence positive",
    "upper lower middle mid superior inferior anterior posterior medial lateral proximal distal dorsal ventral "
    "central peripheral superficial deep internal external inner outer apical basal cranial caudal frontal occipital "
    "parietal temporal cervical thoracic lumbar sacral axial coronal sagittal transverse",
    "acute chronic subacute old new recent healed healing early late primary secondary first second third fourth fifth",
    "benign malignant metastatic metastasis",
    "large small big tiny high low mild moderate severe minimal massive thick thin wide narrow long short major minor",
    "increased decreased increase decrease enlarged reduced raised elevated depressed improved worse worsening stable "
    "dilated constricted",
    "open closed displaced undisplaced complete incomplete partial total single multiple diffuse focal solid cystic "
    "simple complex arterial venous artery vein systolic diastolic male female dark bright black white hyper hypo",
    "more less greater fewer above below before after inside outside",
    "probable possible likely unlikely maybe probably possibly suspected versus vs or",
)
_WORDS: Final = frozenset(word for line in _OPPOSITES for word in line.split())
_BEGINNINGS: Final = ("hyper", "hypo", "brady", "tachy", "intra", "extra", "inter", "pre", "post", "supra", "infra")
_ENDINGS: Final = (
    "itis",
    "osis",
    "sarcoma",
    "carcinoma",
    "adenoma",
    "oma",
    "pathy",
    "plasty",
    "ectomy",
    "ostomy",
    "otomy",
)
_BEGINNINGS_OF_NO: Final = ("non", "un", "dis", "in", "im", "ab", "a")


def marks_of(text: str) -> tuple[str, ...]:
    """List what of an answer no other may differ in: the words named here, numbers, signs, and single letters.

    Words with beginnings such as "hypo" or endings such as "itis" stand for these ("hypodense" and "hyperdense" differ,
    "diverticulitis" and "diverticulosis"). A word that begins with
    a negation ("nondisplaced") is its own mark, since an encoder hardly sees it.

    Args:
        text: An answer.

    Returns:
        Marks in alphabetical order, each as often as it is there.

    Example:
        >>> marks_of("No fracture of the left hip"), marks_of("hypodense lesion, 3 cm"), marks_of("a fracture")
        (('left', 'no'), ('3', 'hypo'), ())
    """
    return tuple(sorted(_marks(normalised(text).split())))


def _marks(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        if word in _WORDS or len(word) == 1 or not word.isalpha():
            yield word
            continue
        begun = next((each for each in _BEGINNINGS if word.startswith(each) and len(word) > len(each) + 2), None)
        if begun is not None:
            yield begun
        elif _is_denied(word):
            yield word
        elif (ending := next((each for each in _ENDINGS if word.endswith(each)), None)) is not None:
            yield ending


def _is_denied(word: str) -> bool:
    """Whether a word denies another by its beginning."""
    if word.startswith("non") and len(word) > 5:
        return True
    return any(word.startswith(each) and word[len(each) :] in _WORDS for each in _BEGINNINGS_OF_NO)
