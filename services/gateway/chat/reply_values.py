"""The documented values that a reply in JSON is made of: none of them gives away an answer that is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.gateway.schemas import VqaReply

NAMES: Final = (
    "decision", "answer", "letter", "text", "confidence", "calibrated", "guarantee", "method", "reason", "option_set",
    "id",
)  # fmt: skip
"""Names that a client's schema may have."""


def reply_values(reply: VqaReply, method: str) -> Mapping[str, Any]:
    """Make the values of a reply.

    Args:
        reply: The reply.
        method: The method that was asked for.

    Returns:
        Each of NAMES -> its value. Where the question is left to a person, there is no answer and no confidence of it;
        where the confidence is not calibrated, there is none.
    """
    answer, options = reply.answer, reply.option_set
    confidence = told_confidence(reply)
    return {
        "decision": reply.decision,
        "answer": None if answer is None else answer.text,
        "letter": None if answer is None else answer.letter,
        "text": None if answer is None else answer.text,
        "confidence": confidence,
        "calibrated": confidence is not None,
        "guarantee": reply.decision_basis.guarantee,
        "method": method,
        "reason": reply.decision_basis.reason,
        "option_set": None if options is None else list(options.letters),
        "id": reply.id,
    }


def told_confidence(reply: VqaReply) -> float | None:
    """Return the confidence where the answer is given and the confidence is calibrated."""
    return reply.confidence if reply.answer is not None and reply.calibration.calibrated else None
