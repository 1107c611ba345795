"""Every kind of entry is an AuditEvent of FHIR, and keeps to the profile of IHE that it claims."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from services.gateway.records.audit.chain import ChainKey
from services.gateway.records.audit.entry import Kind, LogEntry, canonical
from services.gateway.records.audit.events import answer_event, review_event
from services.gateway.records.audit.fhir import audit_event
from tests.services.gateway.records.audit.balp import BASE, faults_of
from tests.services.gateway.records.conftest import record

KEY = ChainKey(b"s" * 32)
ANSWER = "836a575f-7230-4f65-a5c3-b867fe4594c9"
REVIEW = {
    "answer_id": ANSWER, "at": datetime(2026, 3, 1, tzinfo=UTC), "who": "Dr. A", "key_name": "ward 7",
    "correct_option": None, "correct": True,
}  # fmt: skip


def answered(client: str, request: str | None) -> dict[str, Any]:
    hashes = dict.fromkeys(("image_sha256", "question_sha256", "options_sha256"), "0" * 64)
    return dict(answer_event({**hashes, **record(request_id=request).row}, client, KEY).body)


BODIES: list[tuple[Kind, dict[str, Any]]] = [
    *((Kind.ANSWER, answered(client, request))
      for request in ("case-1", None)
      for client in ("1a2b3c4d", "sub_0011223344556677", "203.0.113.7", "2001:db8::/64", "")),
    *((Kind.REVIEW, dict(review_event({**REVIEW, "key_name": key}, 1, KEY).body)) for key in ("ward 7", None)),
    (Kind.STRIKE, {"strike": 1, "who": "Dr. B", "reviews": [1]}),
    (Kind.RESTORE, {"strike": 2, "who": "Dr. B", "reviews": [1]}),
    (Kind.ACKNOWLEDGE, {"alarm": "ab" * 6, "who": "Dr. B"}),
    *((Kind.ACTIVATE, {"calibrator": "p-2", "previous": back, "who": "Dr. B", "key": "it"}) for back in ("p", None)),
    *((Kind.RETIRE, {"calibrator": "platt-2", "live": None, "who": who, "key": None}) for who in ("Dr. B", "ops")),
    (Kind.READ, {"answer": ANSWER, "what": "record", "key": "it"}),
    (Kind.READ, {"answer": ANSWER, "what": "picture", "key": None}),
    (Kind.READ, {"answer": ANSWER, "what": "record", "who": "Dr. B", "key": "it"}),
    (Kind.ERASE, {"answer": ANSWER, "who": "Dr. B", "key": "it"}),
    (Kind.ERASE, {"answer": ANSWER, "who": "this machine's user", "key": None}),
    (Kind.BEGIN, {"log": "0a"}),
    (Kind.START, {"software": "1.0", "revision": None, "settings": {"port": 1}}),
    (Kind.REGISTRY, {"policy": None, "digest": "0"}),
    (Kind.KEYS, {"keys": None}),
    (Kind.PRUNE_RECORDS, {"before": "2026-01-01T00:00:00+00:00", "count": 3}),
    (Kind.PRUNE_LOG, {"from": 1, "to": 4}),
]  # fmt: skip


def event_of(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return audit_event(LogEntry(7, "2026-03-01T12:00:00.000000Z", kind, canonical(body), "k", "0" * 64), "log")


@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_every_kind_keeps_to_the_profile_that_it_claims(kind: Kind, body: dict[str, Any]) -> None:
    event = event_of(kind, body)
    AuditEvent.model_validate(event)
    assert faults_of(event) == []
    told = event["entity"][-1]["detail"]
    details = {each["type"]: base64.b64decode(each["valueBase64Binary"]).decode() for each in told}
    assert (details["kind"], details["body"]) == (kind, canonical(body))


def test_all_kinds_are_tried_and_those_that_follow_a_request_claim_a_profile() -> None:
    assert {kind for kind, _ in BODIES} == set(Kind)
    claims = {kind: [each.removeprefix(BASE) for each in event_of(kind, body).get("meta", {}).get("profile", ())]
              for kind, body in BODIES}  # fmt: skip
    own = {Kind.BEGIN, Kind.START, Kind.REGISTRY, Kind.KEYS, Kind.PRUNE_RECORDS, Kind.PRUNE_LOG}
    assert {kind for kind, claimed in claims.items() if not claimed} == own
    assert {each for claimed in claims.values() for each in claimed} == {"Create", "Read", "Update", "Delete"}


def test_an_entry_of_a_later_version_is_an_event_without_a_profile() -> None:
    event = event_of("of-tomorrow", {"who": "Dr. B"})
    AuditEvent.model_validate(event)
    assert "meta" not in event


def _second_subtype(event: dict[str, Any]) -> None:
    event["subtype"].append({"system": "urn:trustvqa:audit", "code": "erase"})


def _without(*path: Any) -> Callable[[dict[str, Any]], None]:
    def remove(event: dict[str, Any]) -> None:
        holder: Any = event
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]

    return remove


def _with(value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(event: dict[str, Any]) -> None:
        holder: Any = event
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        (Kind.ERASE, _second_subtype, "subtype: number"),
        (Kind.ANSWER, _with("Create", "subtype", 0, "display"), "subtype: display"),
        (Kind.ANSWER, _with("update", "subtype", 0, "code"), "subtype: interaction"),
        (Kind.ANSWER, _with("U", "action"), "action"),
        (Kind.READ, _with("8", "outcome"), "outcome"),
        (Kind.READ, _with("110153", "agent", 0, "type", "coding", 0, "code"), "agent client: number"),
        (Kind.ANSWER, _without("agent", 1), "agent: number"),
        (Kind.ANSWER, _without("agent", 0, "network"), "agent client: who, network"),
        (Kind.ERASE, _with([{"text": "x"}], "agent", 0, "role"), "agent client: too much"),
        (Kind.STRIKE, _with(False, "agent", 2, "requestor"), "agent user: who, requestor"),
        (Kind.STRIKE, _with({"address": "x"}, "agent", 2, "network"), "agent user: too much"),
        (Kind.STRIKE, _with("IRCP", "agent", 2, "type", "coding", 0, "code"), "agent: of no slice"),
        (Kind.STRIKE, _with("1", "entity", 0, "role", "code"), "entity data: role, what"),
        (Kind.STRIKE, _without("entity", 0), "entity data: number"),
        (Kind.ERASE, _with("x", "entity", 0, "name"), "entity data: too much"),
        (Kind.ANSWER, _with({"display": "x"}, "entity", 0, "what"), "entity transaction: identifier"),
    ],
)
def test_the_check_finds_departures(kind: Kind, change: Callable[[dict[str, Any]], None], fault: str) -> None:
    event = copy.deepcopy(event_of(kind, dict(next(body for each, body in BODIES if each is kind))))
    change(event)
    assert fault in faults_of(event)
