"""Replies in JSON: one object as a whole, as templates with a response_format ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from prompt4trust.verdict.confidences import Scale
from prompt4trust.verdict.json_objects import is_deep, is_disowned
from prompt4trust.verdict.outcome import Invalid, Verdict
from prompt4trust.verdict.words.expressions import expression

_FENCED = expression(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)


def read_object(text: str, options: Mapping[str, str], scale: Scale) -> Verdict | Invalid | None:
    """Read a reply that is one object with the fields "answer" and "confidence", and nothing else.

    Args:
        text: The reply without its thoughts.
        options: Letter -> text; empty for an open question.
        scale: What a number is. Of per cent, one with a decimal point and at most 1 is a probability.

    Returns:
        The verdict, or why the object holds none; None where the reply is something else, to be read as text.
    """
    bare = text.strip()
    fenced = _FENCED.fullmatch(bare)
    try:
        found = json.loads(fenced[1] if fenced else bare, object_pairs_hook=list, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if not bare.startswith(("{", "```")) or not isinstance(found, list):
        return None
    if is_deep(found):
        return Invalid("ambiguous")
    if is_disowned(found):
        return Invalid("ambiguous")
    answers, stated = ([value for name, value in found if name == key] for key in ("answer", "confidence"))
    if len(answers) > 1 or len(stated) > 1:
        return Invalid("ambiguous")
    if not answers:
        return None
    letter = _letter(answers[0], options)
    if not isinstance(letter, str):
        return letter
    confidence = _confidence(stated[0], scale) if stated else None
    return Invalid("no_confidence") if confidence is None else Verdict(letter, confidence)


def _letter(value: Any, options: Mapping[str, str]) -> str | Invalid | None:
    if value is None or value == "":
        return Invalid("no_answer")
    if not isinstance(value, str):
        return None
    if not options:
        return " ".join(value.split())
    letter = value.strip().upper()
    if letter in options:
        return letter
    return Invalid("unknown_option") if len(letter) == 1 else None


def _confidence(value: Any, scale: Scale) -> float | None:
    """Read a number; None where it is none, or not on the scale."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if scale == "probability" or (isinstance(value, float) and value <= 1):
        return float(value) if 0 <= value <= 1 else None
    return value / 100 if 0 <= value <= 100 else None
