"""An answer as a card, and what its feedback means. A deferral's card shows no answer, in no member."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Final

from prompt4trust.shares import in_percent
from services.gateway.cds_hooks.schemas import (
    LONGEST_SUMMARY,
    CardLink,
    CardSource,
    CardSuggestion,
    HookCard,
    OverrideReason,
)
from services.gateway.chat.reply_values import told_confidence
from services.gateway.schemas import VqaReply
from services.gateway.statement import NO_ANSWER, UNCALIBRATED, guarantee_of, reason_of

CODE_SYSTEM: Final = "urn:trustvqa:override-reason"
WRONG: Final = "answer-wrong"
NOT_RELEVANT: Final = "not-relevant"
_RIGHT_OPTION: Final = re.compile(r"right-option-([A-Z])")
_AGREE: Final = uuid.UUID("5b1b5c0a-6f0c-5d8e-9a55-1f5e7c1f7a10")
_LEFT_TO_YOU: Final = f"{NO_ANSWER} Please judge the picture yourself."
_MARKS: Final = re.compile(r"([\\`*_{}\[\]()#+.!|<>~&:@-])")


def card_of(reply: VqaReply, options: Mapping[str, str], *, url: str, notice: str) -> HookCard:
    """Make the card of a reply.

    Args:
        reply: The reply.
        options: The question's options, letter -> text.
        url: The gateway's address.
        notice: The line that tells users what they may expect of the models.
    """
    given = reply.decision == "answer" and reply.answer is not None
    suggestions = [CardSuggestion(label=_agreement(reply), uuid=agreement_id(reply.id))] if given else None
    takes_feedback = reply.recorded
    return HookCard(
        uuid=reply.id,
        summary=_summary(reply) if given else _LEFT_TO_YOU,
        indicator="info" if given else "warning",
        detail=_detail_of_answer(reply, notice) if given else _detail_of_deferral(reply, notice),
        source=CardSource(label="TrustVQA", url=url),
        suggestions=suggestions if takes_feedback else None,
        selection_behavior="at-most-one" if takes_feedback and suggestions else None,
        override_reasons=_reasons(reply, options, given=given) if takes_feedback else None,
        links=[
            CardLink(label="Record of this answer", url=f"{url}/vqa/{reply.id}"),
            CardLink(label="How well the confidence holds", url=f"{url}/calibration"),
        ],
    )


def agreement_id(answer_id: str) -> str:
    """Give the id of the suggestion by which a user agrees with an answer.

    Example:
        >>> agreement_id("836a575f-7230-4f65-a5c3-b867fe4594c9") == agreement_id("836A575F-7230-4F65-A5C3-B867FE4594C9")
        True
    """
    return str(uuid.uuid5(_AGREE, answer_id.lower()))


def right_option(code: str) -> str | None:
    """Read the letter of the right option off a reason's code; None where it names none.

    Example:
        >>> right_option("right-option-B"), right_option("answer-wrong")
        ('B', None)
    """
    match = _RIGHT_OPTION.fullmatch(code)
    return match[1] if match is not None else None


def _summary(reply: VqaReply) -> str:
    assert reply.answer is not None  # noqa: S101 - asked for before
    letter, text = reply.answer.letter, " ".join(reply.answer.text.split())
    confidence = told_confidence(reply)
    sure = "" if confidence is None else f" (calibrated confidence {in_percent(confidence)})"
    whole = f"{letter}: {text}{sure}" if letter else f"{text}{sure}"
    if len(whole) <= LONGEST_SUMMARY:
        return whole
    # A text that is cut may say the opposite of the whole.
    return f"Answer {letter}{sure}; its text is below." if letter else f"There is an answer{sure}; it is below."


def _agreement(reply: VqaReply) -> str:
    letter = reply.answer.letter if reply.answer is not None else None
    return f"I agree: {letter}" if letter else "I agree with the answer"


def _detail_of_answer(reply: VqaReply, notice: str) -> str:
    assert reply.answer is not None  # noqa: S101 - asked for before
    letter = f"{reply.answer.letter}: " if reply.answer.letter else ""
    confidence, basis = told_confidence(reply), reply.decision_basis
    lines = [f"**Answer:** {letter}{_plain(reply.answer.text)}"]
    if confidence is not None:
        fitted, interval = reply.calibration.fitted_on, reply.calibration.interval
        checked = f", calibrated on {fitted.n} checked answers" if fitted is not None else ", calibrated"
        between = "" if interval is None else f" (between {in_percent(interval[0])} and {in_percent(interval[1])})"
        lines.append(f"**Confidence:** {in_percent(confidence)}{checked}{between}")
        lines.append(f"**Why it is given:** {_plain(reason_of(basis, is_given=True, is_calibrated=True))}")
    else:
        lines.append(f"**Confidence:** {_plain(UNCALIBRATED)}")
    lines.append(f"**Promise:** {_plain(guarantee_of(confidence, basis))}")
    return "\n\n".join([*lines, *_ending(reply, notice)])


def _detail_of_deferral(reply: VqaReply, notice: str) -> str:
    why = reason_of(reply.decision_basis, is_given=False, is_calibrated=reply.calibration.calibrated)
    return "\n\n".join([f"**Why:** {_plain(why)}", *_ending(reply, notice)])


def _ending(reply: VqaReply, notice: str) -> list[str]:
    lines = [] if not reply.degraded else [f"Done without: {_plain(', '.join(reply.degraded))}"]
    if not reply.recorded:
        lines.append(_plain("This answer could not be recorded, so that no feedback on it can be taken."))
    return [*lines, f"*{_plain(notice)}*"]


def _reasons(reply: VqaReply, options: Mapping[str, str], *, given: bool) -> list[OverrideReason]:
    shown = reply.answer.letter if given and reply.answer is not None else None
    found = [_reason(WRONG, "The answer is wrong")] if given else []
    found += [
        _reason(f"right-option-{letter}", f"Right is {letter}: {' '.join(text.split())}")
        for letter, text in options.items()
        if letter != shown
    ]
    return [*found, _reason(NOT_RELEVANT, "Not relevant now")]


def _reason(code: str, display: str) -> OverrideReason:
    return OverrideReason(code=code, system=CODE_SYSTEM, display=display)


def _plain(text: str) -> str:
    """Take their meaning from the marks of Markdown and HTML: options, and a model's answers, may hold some."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
