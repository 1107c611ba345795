"""Replies that are kept with their records, so that a line of a batch that is sent again gets the one that it had."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.selection import GuardArtifact
from prompt4trust.shift import ReferenceArtifact
from services.gateway.answering.decision import DecisionDefaults
from services.gateway.answering.reply import Answered
from services.gateway.intake.query import Query
from services.gateway.schemas import Ask, VqaReply
from services.gateway.shelves.evidence import Evidence

GroundsNow = Callable[[CalibrationKey], str | None]
"""Gives what a reply whose confidence belongs to a key would rest on now; None where none is told again now."""


def grounds_of(ask: Ask, evidence: Evidence, defaults: DecisionDefaults, atypicality_limit: float) -> str:
    """Compute what a reply rests on beside its question and its models, so that it is told again only while that holds.

    Args:
        ask: What is asked; how it is asked counts.
        evidence: The evidence at the moment of the reply.
        defaults: What holds where the question does not say.
        atypicality_limit: Atypicality from which on promises are withheld.

    Returns:
        A digest: equal where method, accepted risk, coverage, threshold and limit are the same, and calibrator, guard
        with its delta, reference inputs and alarm are.
    """
    max_risk, guard = defaults.max_risk_of(ask), evidence.guard
    grounds = {
        "method": ask.method,
        "max_risk": [max_risk, ask.max_risk is None],
        "threshold": defaults.threshold if max_risk is None else None,
        "coverage": defaults.coverage_of(ask),
        "atypicality_limit": atypicality_limit,
        "calibrator": None if evidence.calibrator is None else _fit(evidence.calibrator.artifact),
        "guard": None if guard is None else [_fit(guard.artifact), guard.rule.delta, evidence.fitting_guard is guard],
        "references": sorted(_fit(each.artifact) for each in evidence.references),
        "unreadable": sorted(evidence.unreadable),
        "misfits": [evidence.misfit, evidence.guard_misfit],
        "alarm": evidence.alarm,
    }
    return hashlib.sha256(json.dumps(grounds, sort_keys=True).encode()).hexdigest()


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
    return {"grounds": answered.grounds, "reply": reply}


def told_again(kept: Mapping[str, Any], query: Query, grounds: str | None) -> VqaReply | None:
    """Make a reply of what was kept of it.

    Args:
        kept: What was kept under the id of a query whose question is the same.
        query: The query.
        grounds: What a reply to it would rest on now, from `grounds_of`; None where none is told again.

    Returns:
        The reply; None where it rested on something else.

    Raises:
        ValidationError: If what was kept is no reply, as after an upgrade.
    """
    if grounds is None or kept.get("grounds") != grounds:
        return None
    reply = VqaReply.model_validate(kept.get("reply"))
    if reply.answer is not None and reply.answer.letter is not None:
        reply.answer.text = query.ask.options[reply.answer.letter]
    return reply


def _fit(artifact: CalibratorArtifact | GuardArtifact | ReferenceArtifact) -> list[str]:
    """Name an artifact and its making: one that is fitted again keeps its name."""
    return [artifact.name, artifact.created.isoformat()]
