"""The one place where promises are withheld: that a confidence is calibrated, and that an answer may be given.

A further reason to withhold a promise belongs here. Each takes both back, since both rest on the same evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.gateway.answering.familiarity import Familiarity
from services.gateway.shelves.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Withheld:
    """A reason to promise nothing of an answer, though there is evidence for its models, method and wording.

    Attributes:
        code: The reason as a stable word.
        reason: The same for a person: the end of a sentence.
    """

    code: Literal["atypical-input", "atypicality-unknown", "answer-contradicted", "calibration-alarm"]
    reason: str


def withheld_promise(evidence: Evidence, familiarity: Familiarity, *, alarm_withholds: bool) -> Withheld | None:
    """Find what stands in the way of promising anything about an answer, if anything does.

    Args:
        evidence: What promises about it rest on.
        familiarity: How unlike the questions behind that evidence its question is.
        alarm_withholds: Whether a standing alarm does.
    """
    atypicality = familiarity.atypicality
    if atypicality is not None and atypicality.beyond:
        return Withheld("atypical-input", atypicality.reason)
    if familiarity.is_lost:
        # The question may be one that the reference would have told from all others.
        return Withheld("atypicality-unknown", familiarity.unknown or "")
    if familiarity.against is not None:
        return Withheld("answer-contradicted", familiarity.against)
    if alarm_withholds and evidence.alarm is not None:
        return Withheld("calibration-alarm", evidence.alarm)
    return None
