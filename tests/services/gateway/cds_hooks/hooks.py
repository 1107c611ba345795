"""Calls of CDS Hooks for tests, as a record system makes them."""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

import httpx
import jwt

from services.gateway.cds_hooks.schemas import FEEDBACK_PATH, HOOK, SERVICE_PATH
from tests.services.common.auth.tokens.issuer import ec_key
from tests.services.gateway.conftest import OPTIONS, picture

BASE = "https://trustvqa.hospital.example"
EHR = "https://ehr.hospital.example"


def hook(**changes: Any) -> dict[str, Any]:
    """A good call; changes are of its context, and one to ... leaves a member out."""
    context = {
        "userId": "Practitioner/7",
        "patientId": "planted-patient",
        "binaryId": "41",
        "question": "Which shape?",
        "options": OPTIONS,
    }
    given = {name: value for name, value in {**context, **changes}.items() if value is not ...}
    return {
        "hook": HOOK,
        "hookInstance": str(uuid.uuid4()),
        "fhirServer": "https://ehr.hospital.example/fhir",
        "fhirAuthorization": {"access_token": "planted-token", "token_type": "Bearer", "expires_in": 300},
        "context": given,
        "prefetch": {"image": binary()},
    }


def binary() -> dict[str, Any]:
    """The picture as a FHIR Binary."""
    return {"resourceType": "Binary", "contentType": "image/png", "data": base64.b64encode(picture()).decode()}


def call(http: httpx.Client, headers: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """The card of a call."""
    reply = http.post(SERVICE_PATH, json=hook(**changes), headers=headers)
    assert reply.status_code == 200, reply.text
    [card] = reply.json()["cards"]
    found: dict[str, Any] = card
    return found


def overridden(card: dict[str, Any], code: str | None = "answer-wrong", comment: str | None = None) -> dict[str, Any]:
    """The fate of a card that was set aside."""
    reason = {} if code is None else {"reason": {"code": code, "system": "urn:trustvqa:override-reason"}}
    given = {**reason, **({} if comment is None else {"userComment": comment})}
    fate = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-11-30T12:00:00Z"}
    return {**fate, **({"overrideReason": given} if given else {})}


def accepted(card: dict[str, Any]) -> dict[str, Any]:
    """The fate of a card whose suggestion was taken."""
    return {
        "card": card["uuid"],
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}],
    }


def tell(http: httpx.Client, *fates: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    """Send feedback."""
    return http.post(FEEDBACK_PATH, json={"feedback": list(fates)}, headers=headers)


def client_token(
    path: str = SERVICE_PATH, *, key: Any = None, header: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A token of the record system's own, good but for the changes; a claim that is None is left out."""
    now = int(time.time())
    good = {"iss": EHR, "aud": BASE + path, "iat": now, "exp": now + 240, "jti": str(uuid.uuid4()), **changes}
    claims = {name: value for name, value in good.items() if value is not None}
    return jwt.encode(claims, key or ec_key(), "ES384", {"kid": "ec-1", **(header or {})})
