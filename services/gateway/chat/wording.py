"""Replies in words, for people who read a chat."""

from __future__ import annotations

from services.gateway.schemas import VqaReply
from services.gateway.statement import NO_ANSWER, statement_of


def in_words(reply: VqaReply) -> str:
    """Put a reply in words: its statement and the decision's reason, or that and why there is no answer."""
    if reply.answer is None:
        return f"{NO_ANSWER} {reply.decision_basis.reason}"
    said = statement_of(reply.decision, reply.answer, reply.confidence, reply.calibration, reply.decision_basis)
    return f"{said}\n\n{reply.decision_basis.reason}"
