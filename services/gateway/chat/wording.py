"""Replies in words, for people who read a chat."""

from __future__ import annotations

from services.gateway.chat.reply_values import given_answer
from services.gateway.schemas import VqaReply

DEFERRAL = "There is no reliable answer to this question."
"""The first words of every deferral."""


def in_words(reply: VqaReply) -> str:
    """Put a reply in words: the answer with its confidence, or that and why there is none."""
    answer = given_answer(reply)
    if answer is None:
        return f"{DEFERRAL} {reply.decision_basis.reason}"
    said = answer.text if answer.letter is None else f"{answer.letter}: {answer.text}"
    return f"{said}\n\n{_confidence(reply)} {reply.decision_basis.reason}"


def _confidence(reply: VqaReply) -> str:
    if not reply.calibration.calibrated or reply.confidence is None:
        return f"The confidence is not calibrated: {reply.calibration.reason}."
    share = in_percent(reply.confidence)
    return f"Confidence: {share} (calibrated: of 100 answers like this one, {_of_hundred(reply.confidence)} are right)."


def in_percent(share: float) -> str:
    """Write a share in whole percent, which never says that something is certain.

    >>> in_percent(0.824), in_percent(0.9957), in_percent(0.004)
    ('82 %', 'more than 99 %', 'less than 1 %')
    """
    if share > 0.99:
        return "99 %" if share < 0.995 and round(share, 2) == 0.99 else "more than 99 %"
    return "less than 1 %" if share < 0.01 else f"{round(100 * share)} %"


def _of_hundred(share: float) -> str:
    percent = in_percent(share).removesuffix(" %")
    return percent if not percent.isdecimal() else f"about {percent}"
