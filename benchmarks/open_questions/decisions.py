"""Decisions of a gateway on open questions, counted: answered, of these wrong, calibrated, guaranteed."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from prompt4trust.meaning import DEFAULT_JUDGE, get_judge
from prompt4trust.questions import Question


@dataclass(slots=True)
class Decisions:
    """Counts over a gateway's replies to open questions with an expected text.

    Attributes:
        questions: Replies counted.
        answered: Those whose decision is to answer.
        wrong: Of these, those whose answer the judge calls wrong.
        guaranteed: Of the answered, those that rest on a guarantee.
        calibrated: Replies whose confidence is calibrated, deferred ones included.
        shown: Deferred replies that hold an answer or an explanation all the same: none is right.
        reasons: Reason not to calibrate -> replies.
    """

    questions: int
    answered: int
    wrong: int
    guaranteed: int
    calibrated: int
    shown: int
    reasons: dict[str, int]

    @classmethod
    def of(cls, replies: Iterable[tuple[Question, Mapping[str, Any]]]) -> Decisions:
        """Count replies of `POST /vqa`."""
        judge, found = get_judge(DEFAULT_JUDGE), cls(0, 0, 0, 0, 0, 0, {})
        for question, reply in replies:
            found.questions += 1
            calibration = reply["calibration"]
            found.calibrated += calibration["calibrated"]
            if not calibration["calibrated"]:
                found.reasons[calibration["reason"]] = found.reasons.get(calibration["reason"], 0) + 1
            if reply["decision"] != "answer":
                found.shown += any(reply[each] is not None for each in ("answer", "explanation", "model_text"))
                continue
            found.answered += 1
            found.guaranteed += reply["decision_basis"]["guarantee"]
            found.wrong += not judge(reply["answer"]["text"], question.open_answer or "")
        return found

    def as_json(self) -> dict[str, Any]:
        """Render the counts."""
        return asdict(self)


def decisions(url: str, questions: Sequence[Question], method: str, max_risk: float) -> Decisions:
    """Ask a gateway open questions, eight at a time.

    Args:
        url: The gateway.
        questions: Open questions with an expected text and a picture.
        method: How the confidence is obtained.
        max_risk: Accepted share of wrong answers among those given.

    Raises:
        httpx.HTTPStatusError: If one is refused.
    """
    with httpx.Client(base_url=url, timeout=120) as client, ThreadPoolExecutor(8) as pool:

        def ask(question: Question) -> Mapping[str, Any]:
            assert question.image is not None
            picture = base64.b64encode(question.image.read_bytes()).decode()
            body = {"image": picture, "question": question.text, "options": [], "method": method, "max_risk": max_risk}
            reply: Mapping[str, Any] = client.post("/vqa", json=body).raise_for_status().json()
            return reply

        return Decisions.of(zip(questions, pool.map(ask, questions), strict=True))
