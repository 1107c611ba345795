"""The record of an answer: the columns that are kept of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from services.gateway.answering.kept_reply import reply_to_keep
from services.gateway.answering.reply import Answered
from services.gateway.intake.query import Query
from services.gateway.results.result import result_of, source_of

IDENTITY: Final = ("image_sha256", "question_sha256", "options_sha256", "groups")
"""Columns by which a question is known again; the store keys the hashes among them."""

_NOT_KEPT = str.maketrans({"\0": "\N{REPLACEMENT CHARACTER}"})


@dataclass(frozen=True, slots=True)
class Keeping:
    """Wishes of the operator: what to keep beside figures, names and hashes.

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
        row: Column of the table of answers -> value; hashes are plain, and are keyed as they are stored.
        picture: The prepared picture as a PNG, where it is kept.
        client: Who asked: a key's id, or an address; for the audit log.
    """

    row: Mapping[str, Any]
    picture: bytes | None = None
    client: str = ""

    @property
    def id(self) -> str:
        """The answer's id."""
        return str(self.row["id"])

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        texts = (value for value in self.row.values() if isinstance(value, str))
        return 2_000 + sum(map(len, texts)) + len(self.picture or b"")


def record_of(answered: Answered, keeping: Keeping) -> Record:
    """Choose what is kept of an answer.

    Args:
        answered: The answer.
        keeping: What the operator wants kept.

    Returns:
        The record. Half surrogate pairs and NUL, which databases do not take, are replaced.
    """
    query, asked, decided = answered.query, answered.asked, answered.decided
    ask, key, basis = query.ask, asked.key, decided.basis
    calibration, chosen = answered.confidence.calibration, answered.chosen
    atypicality, timing, guidance = answered.familiarity.atypicality, answered.timing, answered.guidance
    explanation = asked.answer.text
    low, high = calibration.interval or (None, None)
    source = source_of(query)
    row: dict[str, Any] = {
        "id": query.id,
        "at": answered.at,
        "request_id": query.request_id,
        **key.model_dump(mode="json"),
        "calibrator": calibration.calibrator,
        "stated": calibration.stated_confidence,
        "confidence": answered.confidence.value,
        "interval_low": low,
        "interval_high": high,
        "signals": {name: value for name, value in asked.answer.signals.items() if math.isfinite(value)},
        "atypicality": None if atypicality is None else atypicality.model_dump(mode="json"),
        "letters": "".join(ask.options),
        "letter": chosen.letter if chosen else None,
        "has_verdict": chosen is not None,
        "decision": decided.decision,
        "code": basis.code,
        "rule": basis.rule,
        "guarantee": basis.guarantee,
        "max_risk": basis.max_risk,
        "threshold": basis.threshold,
        "guard": basis.evidence.guard if basis.evidence else None,
        "degraded": answered.lacks,
        "policy_ms": timing.policy,
        "downstream_ms": timing.downstream,
        "total_ms": timing.total,
        **identity_of(query),
        "reply": reply_to_keep(answered, texts=keeping.texts),
        "asker": query.asker,
        "source": None if source is None else asdict(source),
        # Without the texts it could not be told: a letter means nothing without its option.
        "result": result_of(answered).kept() if keeping.texts else None,
        "guidance_sha256": None if guidance is None else _digest(guidance),
        "explanation_sha256": _digest(explanation),
        "question": ask.question if keeping.texts else None,
        "options": dict(ask.options) if keeping.texts else None,
        "guidance": guidance if keeping.texts else None,
        "explanation": explanation if keeping.texts else None,
    }
    picture = query.picture.file if keeping.pictures else None
    return Record({name: _storable(value) for name, value in row.items()}, picture, _storable(query.client))


def identity_of(query: Query) -> dict[str, Any]:
    """Compute what a question is known again by.

    Returns:
        Each column of `IDENTITY` -> its value, as it is stored.
    """
    row = {
        "image_sha256": query.picture.sha256,
        "question_sha256": _digest(query.ask.question),
        "options_sha256": _digest(json.dumps(query.ask.options)),
        "groups": dict(sorted(query.ask.groups.items())),
    }
    return {name: _storable(value) for name, value in row.items()}


def _storable(value: Any) -> Any:
    """Replace what a database cannot hold: PostgreSQL takes no NUL, and UTF-8 has no half surrogate pairs."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value  # most names, and all hashes
        return value.encode("utf-8", "replace").decode("utf-8").translate(_NOT_KEPT)
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
