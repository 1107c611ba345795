"""What is kept of an answer."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.gateway.answering.answering import Answered
from services.gateway.intake.pictures import PreparedPicture
from services.gateway.schemas import Ask

_NOT_KEPT = str.maketrans({"\0": "\N{REPLACEMENT CHARACTER}"})


@dataclass(frozen=True, slots=True)
class Keeping:
    """What operators want kept beside figures, names and hashes.

    Attributes:
        texts: Whether question, options, guidance and explanation are.
        pictures: Whether the prepared picture is.
    """

    texts: bool = False
    pictures: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An answer as rows of the database.

    Attributes:
        row: Column of the table of answers -> value.
        picture: The prepared picture as a PNG, where it is kept.
    """

    row: Mapping[str, Any]
    picture: bytes | None = None

    @property
    def id(self) -> str:
        """The answer's id."""
        return str(self.row["id"])

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        texts = (value for value in self.row.values() if isinstance(value, str))
        return 2_000 + sum(map(len, texts)) + len(self.picture or b"")


def record_of(
    answered: Answered,
    ask: Ask,
    image: PreparedPicture,
    *,
    image_sha256: str,
    request_id: str | None,
    keeping: Keeping,
    clock: Callable[[], datetime],
) -> Record:
    """Choose what is kept of an answer.

    Args:
        answered: The reply and what belongs to it.
        ask: The question.
        image: The picture as the model got it.
        image_sha256: SHA-256 of its PNG, in hexadecimal digits.
        request_id: The request's id.
        keeping: What the operator wants kept.
        clock: Gives the present time, with its zone.

    Returns:
        The record. Half surrogate pairs and NUL, which databases do not take, are replaced.
    """
    reply, pair = answered.reply, answered.pair
    calibration, basis = reply.calibration, reply.decision_basis
    low, high = calibration.interval or (None, None)
    row: dict[str, Any] = {
        "id": reply.id,
        "at": clock(),
        "request_id": request_id,
        "downstream": pair.downstream,
        "policy": pair.policy,
        "estimator": pair.estimator,
        "answer_template": pair.answer_template,
        "calibrator": calibration.calibrator,
        "stated": calibration.stated_confidence,
        "confidence": reply.confidence,
        "interval_low": low,
        "interval_high": high,
        "signals": {name: value for name, value in answered.signals.items() if math.isfinite(value)},
        "atypicality": _atypicality(reply),
        "letters": "".join(ask.options),
        "letter": reply.answer.letter if reply.answer else None,
        "has_verdict": reply.answer is not None,
        "decision": reply.decision,
        "code": basis.code,
        "rule": basis.rule,
        "guarantee": basis.guarantee,
        "max_risk": basis.max_risk,
        "threshold": basis.threshold,
        "guard": basis.evidence.guard if basis.evidence else None,
        "degraded": list(reply.degraded),
        "policy_ms": reply.timing_ms.policy,
        "downstream_ms": reply.timing_ms.downstream,
        "total_ms": reply.timing_ms.total,
        **asked_of(ask, image_sha256),
        "guidance_sha256": None if reply.guidance_prompt is None else _digest(reply.guidance_prompt),
        "explanation_sha256": _digest(reply.explanation),
        "question": ask.question if keeping.texts else None,
        "options": dict(ask.options) if keeping.texts else None,
        "guidance": reply.guidance_prompt if keeping.texts else None,
        "explanation": reply.explanation if keeping.texts else None,
    }
    return Record({name: _storable(value) for name, value in row.items()}, image.png if keeping.pictures else None)


def asked_of(ask: Ask, image_sha256: str) -> dict[str, Any]:
    """Choose what tells a question from another: the columns by which it is known again.

    Args:
        ask: The question.
        image_sha256: SHA-256 of the PNG that the model got.

    Returns:
        Column -> value, as it is stored.
    """
    row = {
        "image_sha256": image_sha256,
        "question_sha256": _digest(ask.question),
        "options_sha256": _digest(json.dumps(ask.options)),
        "groups": dict(ask.groups),
    }
    return {name: _storable(value) for name, value in row.items()}


def _atypicality(reply: Any) -> Any:
    found = getattr(reply, "atypicality", None)
    return found if found is None or isinstance(found, float) else found.model_dump(mode="json")


def _storable(value: Any) -> Any:
    """Replace what a database cannot hold: PostgreSQL takes no NUL, and UTF-8 has no half surrogate pairs."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").translate(_NOT_KEPT)
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
