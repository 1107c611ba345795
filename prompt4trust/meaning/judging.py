"""Judges of open answers: whether an answer says what a data set expects. Evidence belongs to the judge it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from prompt4trust.meaning.normalised import same_text

Judge = Callable[[str, str], bool]
"""The answer, and the text that is expected -> whether the answer is right."""

DEFAULT_JUDGE = "normalised-1"
"""The judge by which evidence for open questions is made: the same text in one spelling (`same_text`)."""
JUDGES: Mapping[str, Judge] = MappingProxyType({DEFAULT_JUDGE: same_text})
"""Judges by name and version: one that judges otherwise has another name, and evidence of its own."""


def get_judge(name: str) -> Judge:
    """Look a judge up.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> get_judge("normalised-1")("The left lung.", "left lung")
        True
    """
    if name not in JUDGES:
        raise ValueError(f"no judge {name!r} of open answers; there are {', '.join(JUDGES)}")
    return JUDGES[name]


_JUDGED = ", open questions judged by "


def is_open_wording(wording: str) -> bool:
    """Whether a wording of a calibration key is one of open questions, as `open_wording` names them.

    Example:
        >>> is_open_wording(open_wording("answer-compact@1", "normalised-1")), is_open_wording("answer-compact@1")
        (True, False)
    """
    return _JUDGED in wording


def open_wording(template: str, judge: str) -> str:
    """Name the wording of open questions in a calibration key, so that evidence of choices never fits them.

    Args:
        template: Id of the answer template.
        judge: The judge that evidence rests on.

    Example:
        >>> open_wording("answer-compact@1", "normalised-1")
        'answer-compact@1, open questions judged by normalised-1'
    """
    return f"{template}{_JUDGED}{judge}"
