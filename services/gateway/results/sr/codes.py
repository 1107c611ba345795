"""Codes of the reports: DICOM's own where it has one, else of the scheme 99TRUSTVQA."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

SCHEME: Final = "99TRUSTVQA"
"""Coding scheme designator of the project's own codes."""

LONGEST_MEANING: Final = 64
"""Characters of a code's meaning, by its value representation LO."""

QUESTION: Final = "question", "Question"
OPTIONS: Final = "options", "Options of the question"
ANSWER: Final = "answer", "Answer"
DECISION: Final = "decision", "Decision on the answer"
GIVEN: Final = "given", "Answer is given"
LEFT: Final = "left-to-person", "No reliable answer: left to a person"
REASON: Final = "reason", "Reason of the decision"
MEANING: Final = "confidence-is", "Meaning of the confidence"
CALIBRATED: Final = "calibrated-prob", "Calibrated probability"
LOWER: Final = "interval-low", "Lower end of the confidence's interval"
UPPER: Final = "interval-high", "Upper end of the confidence's interval"
OPTION_SET: Final = "option-set", "Options among which the right one is"
COVERAGE: Final = "set-coverage", "Rate at which the right option is among them"


@cache
def own(name: tuple[str, str]) -> Code:
    """Make a code of the project's own from its value and meaning."""
    from pydicom.sr.coding import Code

    value, meaning = name
    return Code(value, SCHEME, meaning)


def code_of_text(text: str) -> Code | None:
    """Make a code of an answer's text, the same for the same text.

    Returns:
        The code; None where the text is longer than a meaning may be, or holds what a meaning must not.
    """
    if len(text) > LONGEST_MEANING or "\\" in text or not text.isprintable():
        return None
    return own((f"t-{hashlib.sha256(text.encode()).hexdigest()[:14]}", text))
