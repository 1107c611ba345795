"""Replies that are kept with their records, so that a line of a batch that is sent again gets the one that it had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prompt4trust.calibration import CalibrationKey
from services.gateway.answering.reply import Answered
from services.gateway.intake.query import Query
from services.gateway.schemas import VqaReply


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A reply that was given before.

    Attributes:
        reply: The reply; texts that are not kept are missing.
        key: What its confidence belongs to.
    """

    reply: VqaReply
    key: CalibrationKey


def reply_to_keep(answered: Answered, *, texts: bool) -> dict[str, Any] | None:
    """Choose what is kept of a reply.

    Args:
        answered: The answer.
        texts: Whether texts that people or models wrote may be kept. The options come again with the question, so
            that an answer among them needs its letter alone; an answer to an open question is such a text.

    Returns:
        What `told_again` takes; None where the reply is not to be kept, or could not be told again.
    """
    query = answered.query
    if not query.keeps_reply or (answered.chosen is not None and not query.ask.options and not texts):
        return None
    reply = answered.reply(recorded=True).model_dump(mode="json")
    if not texts:
        reply |= {"guidance_prompt": None, "explanation": ""}
        if reply["answer"] is not None:
            reply["answer"]["text"] = ""
    return {"asked": _conditions(query), "reply": reply}


def told_again(kept: Mapping[str, Any] | None, query: Query) -> VqaReply | None:
    """Make a reply of what was kept of it.

    Args:
        kept: What was kept under the id of a query whose question is the same.
        query: The query.

    Returns:
        The reply; None where nothing was kept, or the question is asked under other conditions this time.
    """
    if kept is None or kept.get("asked") != _conditions(query):
        return None
    reply = VqaReply.model_validate(kept["reply"])
    if reply.answer is not None and reply.answer.letter is not None:
        reply.answer.text = query.ask.options[reply.answer.letter]
    return reply


def _conditions(query: Query) -> dict[str, Any]:
    """Collect what a reply depends on beside the question."""
    ask = query.ask
    return {"method": ask.method, "max_risk": ask.max_risk, "coverage": ask.coverage}
