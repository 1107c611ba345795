"""Questions whose answers are known: the models are deterministic, so what they said before a fault is right in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Literal

import httpx
import numpy as np
from PIL import Image

from benchmarks.phantoms import draw

FALLBACK = "verbalized"
_SEED = 41_000
_TOLERANCE = 2e-4
"""A batch of another size adds up the same numbers in another order, and a confidence is rounded to four places."""

_KEPT = ("id", "answer", "guess", "confidence", "decision", "recorded")
"""Parts of a reply that are compared with its record; a soak has a hundred thousand of them."""
_LATER = frozenset({429, 502, 503, 504})
"""Statuses that tell a client to ask again later."""

Kind = Literal["right", "flagged", "refused", "cut", "wrong"]


@dataclass(frozen=True, slots=True)
class Question:
    """A request's body, and the replies to it with and without guidance from a stack where nothing is wrong."""

    body: bytes
    with_guidance: Mapping[str, Any]
    without: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An asked question's fate.

    Attributes:
        kind: right: as without a fault. flagged: as without a fault or more careful, and the reply says what it lacks.
            refused: a problem document. cut: the connection ended without a reply. wrong: anything else.
        started: When it was asked, in seconds of the loop's clock.
        ended: When its fate was known.
        reply: The reply, where there was one.
        detail: A few words where it is not right.
    """

    kind: Kind
    started: float
    ended: float
    reply: Mapping[str, Any] | None = None
    detail: str = ""


def bodies(count: int) -> list[dict[str, Any]]:
    """Make questions about phantoms, some with a largest risk, and at the end one that is unlike all others."""
    made: list[dict[str, Any]] = []
    for number, drawn in enumerate(draw(count - 1, _SEED)):
        risk = {"max_risk": 0.25} if number % 3 == 0 else {}
        made.append({"image": drawn.base64, "question": drawn.text, "options": list(drawn.options), **risk})
    noise = BytesIO()
    Image.fromarray(np.random.default_rng(_SEED).integers(0, 255, (150, 150, 3), dtype=np.uint8)).save(noise, "PNG")
    unlike = {"question": "Which instrument leads the second movement?", "options": ["Oboe", "Tuba", "Harp"]}
    return [*made, {"image": base64.b64encode(noise.getvalue()).decode(), **unlike}]


async def with_references(http: httpx.AsyncClient, count: int) -> list[Question]:
    """Ask each question as it is and without guidance, while nothing is wrong."""
    questions = []
    for body in bodies(count):
        said = [(await http.post("/vqa", json={**body, **method})).json() for method in ({}, {"method": FALLBACK})]
        assert all(each.get("degraded") == [] and each["recorded"] for each in said), said
        questions.append(Question(json.dumps(body).encode(), *said))
    codes = {question.with_guidance["decision_basis"]["code"] for question in questions}
    # What a fault could turn into an answer by mistake must be among them.
    assert {"confident-enough", "atypical-input"} <= codes, codes
    return questions


async def ask(http: httpx.AsyncClient, question: Question, now: Any) -> Outcome:
    """Ask a question and judge what comes back."""
    started = now()
    try:
        response = await http.post("/vqa", content=question.body, headers={"Content-Type": "application/json"})
    except httpx.TimeoutException:
        return Outcome("wrong", started, now(), detail="no reply")
    except httpx.TransportError as error:
        return Outcome("cut", started, now(), detail=type(error).__name__)
    found = judge(question, response)
    kept = None if found.reply is None else {name: found.reply[name] for name in _KEPT}
    return replace(found, started=started, ended=now(), reply=kept)


def judge(question: Question, response: httpx.Response) -> Outcome:
    """Judge a reply by those of before the fault."""
    try:
        said = response.json()
    except ValueError:
        return Outcome("wrong", 0, 0, detail=f"{response.status_code} is not JSON")
    if response.status_code != httpx.codes.OK:
        is_problem = response.headers["Content-Type"] == "application/problem+json"
        if (
            is_problem
            and said["type"].startswith("urn:trustvqa:problem:")
            and response.status_code in (429, 502, 503, 504)
        ):
            return Outcome("refused", 0, 0, detail=said["type"].rpartition(":")[2])
        return Outcome("wrong", 0, 0, detail=f"{response.status_code} {said}")
    lacks: Sequence[str] = said["degraded"]
    expected = question.without if "policy" in lacks else question.with_guidance
    if _same(said, expected):
        is_whole = not lacks and said["recorded"]
        return Outcome("right" if is_whole else "flagged", 0, 0, said, ", ".join((*lacks, *_unrecorded(said))))
    is_careful = said["answer"] is None and said["guess"] in (expected["answer"] or expected["guess"], None)
    is_careful = is_careful and said["decision"] == "defer"
    if is_careful and not said["calibration"]["calibrated"] and said["calibration"]["reason"]:
        return Outcome("flagged", 0, 0, said, f"uncalibrated: {said['calibration']['reason']}")
    if is_careful and said["decision_basis"]["code"] != expected["decision_basis"]["code"]:
        return Outcome("flagged", 0, 0, said, said["decision_basis"]["code"])
    shown = {
        name: (said[name], expected[name]) for name in ("answer", "guess", "confidence", "decision", "calibration")
    }
    return Outcome("wrong", 0, 0, said, f"other than before: {shown}")


def _same(said: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    one, other = said["confidence"], expected["confidence"]
    is_near = one == other or (one is not None and other is not None and abs(one - other) <= _TOLERANCE)
    named = all(said[name] == expected[name] for name in ("answer", "guess", "decision"))
    calibrated = said["calibration"]["calibrated"] == expected["calibration"]["calibrated"]
    return is_near and named and calibrated and said["decision_basis"]["code"] == expected["decision_basis"]["code"]


def _unrecorded(said: Mapping[str, Any]) -> tuple[str, ...]:
    return () if said["recorded"] else ("not recorded",)
