"""Replies that are kept with their records, so that a line of a batch that is sent again gets the one that it had."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.selection import GuardArtifact
from prompt4trust.shift import ReferenceArtifact
from prompt4trust.verdict import mark_self_assessments
from services.gateway.answering.decision import DecisionDefaults
from services.gateway.answering.reply import WOULD_TELL, Answered
from services.gateway.intake.query import Query
from services.gateway.question_schemas import Ask
from services.gateway.schemas import FEWEST_LEFT, Lack, VqaReply
from services.gateway.shelves.evidence import Evidence
from services.gateway.statement import statement_of

GroundsNow = Callable[[CalibrationKey], str | None]
"""Gives what a reply whose confidence belongs to a key would rest on now; None where none is told again now."""
_FOR_A_MOMENT: Final[frozenset[Lack]] = frozenset({"policy", "second-look"})
"""Lacks of a reply since something did not answer just then: the next one may have it."""
_GUESSES: Final = {"answer": "guess", "explanation": "guess_explanation", "model_text": "guess_model_text"}


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
        What `told_again` takes; None where the reply is not to be kept, could not be told again, or had to do without
        what may be there again in a moment.
    """
    query = answered.query
    if _FOR_A_MOMENT.intersection(answered.lacks):
        return None
    if not query.keeps_reply or (answered.chosen is not None and not query.ask.options and not texts):
        return None
    reply = answered.reply(recorded=True).model_dump(mode="json")
    if not texts:
        reply |= {
            "guidance_prompt": None,
            "explanation": None,
            "guess_explanation": None,
            "model_text": None,
            "guess_model_text": None,
            "statement": "",
            "options": {},
        }
        for chosen in (reply["answer"], reply["guess"]):
            if chosen is not None:
                chosen["text"] = ""
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
        ValidationError: If what was kept is no reply of this version nor one before.
    """
    if grounds is None or kept.get("grounds") != grounds:
        return None
    reply = VqaReply.model_validate(_as_told_now(kept.get("reply") or {}, query.ask.options))
    reply.options = query.ask.options
    for chosen in (reply.answer, reply.guess):
        if chosen is not None and chosen.letter is not None:
            chosen.text = query.ask.options[chosen.letter]
    reply.statement = statement_of(
        reply.decision, reply.answer, reply.confidence, reply.calibration, reply.decision_basis
    )
    return reply


def _as_told_now(reply: Mapping[str, Any], options: Mapping[str, str]) -> dict[str, Any]:
    """Put a kept reply as this version does; one of this version stays as it is.

    Versions before had the guess of a deferral in `answer` and an option set that could name it. The oldest had the
    model's text as it came in `explanation`, no `model_text`, and no `statement`.

    The options are the question's, by letter. What comes of it is for VqaReply to check.
    """
    told = {"statement": "", **reply}
    if "model_text" not in told:
        said = told.get("explanation")
        told |= {"model_text": said, "explanation": mark_self_assessments(said, options) if said else None}
    if told.get("decision") != "defer":
        return told
    for name, guess in _GUESSES.items():
        said = told.get(name) or None  # without texts, versions before wrote an empty one
        told |= {name: None, guess: said if told.get(guess) is None else told[guess]}
    letters = (told.get("option_set") or {}).get("letters")
    if letters is not None and len(letters) < FEWEST_LEFT:
        told |= {"option_set": None, "option_set_reason": WOULD_TELL}
    return told


def _fit(artifact: CalibratorArtifact | GuardArtifact | ReferenceArtifact) -> list[str]:
    """Name an artifact and its making: one that is fitted again keeps its name."""
    return [artifact.name, artifact.created.isoformat()]
