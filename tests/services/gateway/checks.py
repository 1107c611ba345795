"""Checks that a refusal looks as all do, and that the service took no harm."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import httpx

from tests.services.gateway.conftest import OPTIONS, picture

_LEAKS = re.compile(r"Traceback|File \"|\.py\b|site-packages|/srv/|/home/|/tmp/|127\.0\.0\.1|object at 0x|Error\(")


def body(**changes: Any) -> dict[str, Any]:
    """A good JSON body with changes; a change to ... leaves the field out."""
    good = {"image": base64.b64encode(picture()).decode(), "question": "Which shape?", "options": OPTIONS}
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def assert_problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """An RFC 9457 document of one kind that says what to change and gives nothing away."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]
    found: dict[str, Any] = response.json()
    assert found["type"] == f"urn:trustvqa:problem:{kind}"
    assert found["status"] == status
    assert found["title"]
    assert len(found["detail"]) > 10
    assert not _LEAKS.search(response.text), response.text
    assert len(response.content) < 5_000
    return found


def assert_unharmed(client: httpx.Client) -> None:
    """The next good question is answered."""
    response = client.post("/vqa", json=body())
    assert response.status_code == 200, response.text
    assert response.json()["answer"]["letter"] == "B"


def said(reply: Mapping[str, Any]) -> Any:
    """Option or text that the model chose, whatever the decision is: the answer, or the guess of a deferral."""
    return reply["guess"] if reply["decision"] == "defer" else reply["answer"]
