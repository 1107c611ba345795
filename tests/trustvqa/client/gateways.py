"""Gateways over real HTTP that say what a test wants them to, and note what they were asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.servers import running

ANSWER: dict[str, Any] = {
    "id": "836a575f-7230-4f65-a5c3-b867fe4594c9",
    "answer": {"letter": "B", "text": "Oval"},
    "confidence": 0.71,
    "calibration": {"calibrated": True, "stated_confidence": 0.95, "fitted_on": {"n": 2000, "dataset": "phantom-vqa"}},
    "decision": "answer",
    "decision_basis": {"code": "confident-enough", "reason": "0.71 is at least 0.50", "rule": "confidence-threshold"},
    "option_set": {"letters": ["B", "C"], "coverage": 0.9, "reason": "The right one is among these."},
    "guidance_prompt": "Look at the border.",
    "statement": "B (Oval). Of 100 answers like this one about 71 were right. No guarantee.",
    "explanation": "The answer is B with confidence [number left out].",
    "model_text": "The answer is B with confidence 95.",
    "models": {"policy": "p-1", "downstream": "d-1"},
    "degraded": [],
    "timing_ms": {"total": 123.4},
    "recorded": True,
    "a_field_of_tomorrow": 1,
}
DEFERRAL: dict[str, Any] = ANSWER | {
    "answer": None,
    "guess": {"letter": "B", "text": "Oval"},
    "statement": "There is no reliable answer to this question. A person should judge it.",
    "explanation": None,
    "model_text": None,
    "guess_model_text": "The answer is B with confidence 95.",
    "guess_explanation": "The answer is B with confidence [number left out].",
    "decision": "defer",
    "decision_basis": {"code": "not-confident-enough", "reason": "0.31 is below 0.50", "rule": "confidence-threshold"},
}


@dataclass
class FakeGateway:
    """A gateway.

    Attributes:
        url: Where it is.
        replies: What it says next: (status, JSON, headers), or a response, or None to break the connection.
        requests: What it was asked: method, path, headers, form or body.
        line: Line of a batch -> line of the reply; None to break off.
    """

    url: str = ""
    replies: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    line: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda asked: {"status": 200, "reply": ANSWER}

    @property
    def keys(self) -> list[str]:
        return [each["headers"]["idempotency-key"] for each in self.requests]

    async def handle(self, request: Request) -> Response:
        seen: dict[str, Any] = {
            "path": request.url.path,
            "method": request.method,
            "headers": dict(request.headers),
        }
        self.requests.append(seen)
        if request.headers.get("content-type", "").startswith("multipart/"):
            async with request.form() as form:
                image = form["image"]
                assert not isinstance(image, str)
                seen["image"], seen["filename"] = await image.read(), image.filename
                seen["form"] = {name: form.getlist(name) for name in form if name != "image"}
        else:
            seen["body"] = await request.body()
        if self.replies:
            reply = self.replies.pop(0)
            if isinstance(reply, Response):
                return reply
            status, body, headers = reply
            return JSONResponse(body, status, headers)
        if request.url.path == "/vqa/batch":
            return self._batch(seen["body"])
        return JSONResponse(ANSWER)

    def _batch(self, body: bytes) -> Response:
        told: list[bytes] = []
        for number, text in enumerate(body.splitlines(), 1):
            asked = json.loads(text)
            line = self.line(asked)
            if line is None:
                return Response(b"".join(told), media_type="application/x-ndjson")
            told.append(json.dumps({"line": number, "id": asked["id"], **line}).encode() + b"\n")
        told.append(b'{"summary": {"complete": true}}\n')
        return Response(b"".join(told), media_type="application/x-ndjson")


@contextmanager
def fake_gateway() -> Iterator[FakeGateway]:
    gateway = FakeGateway()
    app = Starlette(routes=[Route("/{path:path}", gateway.handle, methods=["GET", "POST"])])
    with running(app) as url:
        gateway.url = url
        yield gateway


def problem(kind: str, status: int, **more: Any) -> dict[str, Any]:
    return {
        "type": f"urn:trustvqa:problem:{kind}",
        "title": kind,
        "status": status,
        "detail": f"{kind}: change it",
        "request_id": "r-1",
        **more,
    }
