"""Questions sent to a running gateway, clean and attacked, and what came back."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from benchmarks.injection.probes import Sent

_TIMEOUT_S = 120.0
_BUSY = (429, 503)


class Reply(BaseModel):
    """A reply to one question, as far as figures need it.

    Attributes:
        status: The HTTP status.
        letter: The answer or the guess; None without a verdict, or where the question was refused.
        stated: The confidence before correction.
        confidence: The confidence as replied.
        calibrated: Whether it is called calibrated.
        decision: "answer" or "defer"; "refused" where the question was.
        guarantee: Whether the decision rests on a guarantee.
        code: The decision's code, or the refusal's kind.
        atypicality: How unlike the calibration questions it is.
        guidance: What the policy wrote.
        text: What the downstream model wrote.
        degraded: What was done without.
    """

    model_config = ConfigDict(frozen=True)

    status: int
    letter: str | None = None
    stated: float | None = None
    confidence: float | None = None
    calibrated: bool = False
    decision: str = "refused"
    guarantee: bool = False
    code: str = ""
    atypicality: float | None = None
    guidance: str | None = None
    text: str = ""
    degraded: tuple[str, ...] = ()

    @classmethod
    def of(cls, response: httpx.Response) -> Reply:
        """Read a gateway's reply."""
        body = response.json()
        if response.status_code != 200:
            return cls(status=response.status_code, code=str(body.get("type", "")).rpartition(":")[2])
        basis = body["decision_basis"]
        return cls(
            status=200,
            letter=(body["answer"] or body["guess"] or {}).get("letter"),
            stated=body["calibration"]["stated_confidence"],
            confidence=body["confidence"],
            calibrated=body["calibration"]["calibrated"],
            decision=body["decision"],
            guarantee=basis["guarantee"],
            code=basis["code"],
            atypicality=(body["atypicality"] or {}).get("score"),
            guidance=body["guidance_prompt"],
            text=body["model_text"] or body["guess_model_text"] or "",
            degraded=tuple(body["degraded"]),
        )


async def ask_all(url: str, questions: Sequence[Sent], max_risk: float, together: int = 4) -> list[Reply]:
    """Ask questions, a bounded number at once.

    Args:
        url: The gateway's.
        questions: The questions.
        max_risk: The share of errors that is accepted.
        together: How many at once.

    Returns:
        The replies, in order.
    """
    replies: list[Reply | None] = [None] * len(questions)
    waiting = iter(enumerate(questions))

    async def one_after_another(http: httpx.AsyncClient, line: Iterable[tuple[int, Sent]]) -> None:
        for place, sent in line:
            replies[place] = await _ask(http, sent, max_risk)

    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S) as http:
        await asyncio.gather(*(one_after_another(http, waiting) for _ in range(together)))
    return [reply for reply in replies if reply is not None]


async def _ask(http: httpx.AsyncClient, sent: Sent, max_risk: float) -> Reply:
    while True:
        response = await http.send(_request(http, sent, max_risk))
        if response.status_code not in _BUSY:
            return Reply.of(response)
        await asyncio.sleep(float(response.headers.get("retry-after", "1")))


def _request(http: httpx.AsyncClient, sent: Sent, max_risk: float) -> httpx.Request:
    if sent.filename is None:
        picture = base64.b64encode(sent.picture).decode()
        body: dict[str, Any] = {"image": picture, "question": sent.question, "options": sent.options,
                                "max_risk": max_risk, **sent.fields}  # fmt: skip
        return http.build_request("POST", "/vqa", json=body, headers=sent.headers)
    fields = {"question": sent.question, "options": json.dumps(sent.options), "max_risk": str(max_risk)}
    file = (sent.filename, sent.picture, sent.media_type)
    return http.build_request("POST", "/vqa", data=fields, files={"image": file}, headers=sent.headers)
