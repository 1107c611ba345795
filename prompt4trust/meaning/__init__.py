"""Open answers by their meaning: which of them say the same, how far samples agree, which of them are right.

Two answers of different spelling may say the same ("Oedema of the lungs." and "pulmonary edema"), and two that are
spelt nearly alike may not ("left effusion", "right effusion"). A pair is taken for the same only where that is beyond
doubt: answers that say the same and are not seen to do so make a confidence too low, the other way round too high.
"""

from prompt4trust.meaning.agreement import Agreement, agreement_of, normalized_entropy
from prompt4trust.meaning.judging import DEFAULT_JUDGE, JUDGES, Judge, get_judge, is_open_wording, open_wording
from prompt4trust.meaning.normalised import normalised, same_text

__all__ = [
    "DEFAULT_JUDGE",
    "JUDGES",
    "Agreement",
    "Judge",
    "agreement_of",
    "get_judge",
    "is_open_wording",
    "normalised",
    "normalized_entropy",
    "open_wording",
    "same_text",
]
