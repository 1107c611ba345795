"""Entries of the audit log as FHIR R4 AuditEvent resources, as IHE's Basic Audit Log Patterns (BALP) profile them.

An answer is a create, a look a read, an erasure a delete, as BALP has them for systems that speak REST. What happens
without a request of anybody's, a start or a changed registry, is an event of DICOM's audit vocabulary (PS3.15, A.5).
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from fhir.resources.R4B.auditevent import AuditEvent

from services.gateway.records.audit.entry import Kind, LogEntry

_PROFILES: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
_INTERACTIONS: Final = "http://hl7.org/fhir/restful-interaction"
_REQUEST: Final = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
_ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_OWN: Final = "urn:trustvqa:audit"

_SOURCE: Final = (_DCM, "110153", "Source Role ID")
_DESTINATION: Final = (_DCM, "110152", "Destination Role ID")
_APPLICATION: Final = (_DCM, "110150", "Application")
_CUSTODIAN: Final = (_HL7 + "provenance-participant-type", "custodian", "Custodian")
_AUTHOR: Final = (_HL7 + "v3-ParticipationType", "AUT", "author (originator)")
_RECIPIENT: Final = (_HL7 + "v3-ParticipationType", "IRCP", "information recipient")

_RESTFUL: Final[Mapping[str, tuple[str, str]]] = {
    Kind.ANSWER: ("Create", "C"),
    Kind.REVIEW: ("Create", "C"),
    Kind.ACKNOWLEDGE: ("Create", "C"),
    Kind.STRIKE: ("Update", "U"),
    Kind.RESTORE: ("Update", "U"),
    Kind.ACTIVATE: ("Update", "U"),
    Kind.RETIRE: ("Update", "U"),
    Kind.READ: ("Read", "R"),
    Kind.ERASE: ("Delete", "D"),
}
"""Kinds that follow a request -> BALP's profile, and the action."""

_AGENTS: Final = {
    "Create": (_SOURCE, _DESTINATION),
    "Update": (_SOURCE, _DESTINATION),
    "Read": (_DESTINATION, _SOURCE),
    "Delete": (_APPLICATION, _CUSTODIAN),
}
"""Types of the client and of the server by profile."""

_SYSTEM: Final[Mapping[str, tuple[str, str, str]]] = {
    Kind.BEGIN: ("110100", "Application Activity", "E"),
    Kind.START: ("110100", "Application Activity", "E"),
    Kind.REGISTRY: ("110113", "Security Alert", "U"),
    Kind.KEYS: ("110113", "Security Alert", "U"),
    Kind.PRUNE_LOG: ("110101", "Audit Log Used", "D"),
    Kind.PRUNE_RECORDS: ("110100", "Application Activity", "D"),
}
_UNKNOWN: Final = ("110100", "Application Activity", "E")


def audit_event(entry: LogEntry, log: str) -> dict[str, Any]:
    """Make the AuditEvent of an entry.

    Args:
        entry: The entry.
        log: Name of the log.

    Returns:
        The resource as JSON values, checked against FHIR R4B (of which AuditEvent is as in R4). Its `id` is made of the
        log's name and the entry's number, so that an entry that is sent twice is one resource.

    Raises:
        ValueError: If it is no valid resource, for somebody tampered with the entry.
    """
    body: Mapping[str, Any] = json.loads(entry.body)
    restful = _RESTFUL.get(entry.kind)
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"{log}-{entry.number}",
        "recorded": entry.at,
        "outcome": "0",
        "source": {"observer": {"display": "TrustVQA gateway"}, "type": [_coding(_HL7 + "security-source-type", "4")]},
    }
    if restful is None:
        code, display, action = _SYSTEM.get(entry.kind, _UNKNOWN)
        event |= {"type": _coding(_DCM, code, display), "subtype": [_coding(_OWN, entry.kind)], "action": action}
        event["agent"] = [{"type": _concept(*_APPLICATION), "who": {"display": "TrustVQA gateway"}, "requestor": False}]
        event["entity"] = [_entry_entity(entry)]
    else:
        profile, action = restful
        event["meta"] = {"profile": [_PROFILES + profile]}
        event |= {"type": _coding(_HL7 + "audit-event-type", "rest", "Restful Operation"), "action": action}
        # No second one: the profile of deletes takes none. The log's own kind is in the entry's details.
        event["subtype"] = [_coding(_INTERACTIONS, profile.lower(), profile.lower())]
        event["agent"] = _agents(body, profile)
        event["entity"] = [*_data(entry.kind, body), _entry_entity(entry)]
    checked = AuditEvent.model_validate(event)
    found: dict[str, Any] = json.loads(checked.model_dump_json(exclude_none=True))
    return found


_Code: TypeAlias = tuple[str, str, str]


def _agents(body: Mapping[str, Any], profile: str) -> list[dict[str, Any]]:
    client, server = _AGENTS[profile]
    name = body.get("client") or body.get("key")
    who = {"identifier": {"value": str(name)}} if name else {"display": "a program on the gateway's own machine"}
    found: list[dict[str, Any]] = [
        {"type": _concept(*client), "who": who, "requestor": "who" not in body, "network": _network(name)},
        {
            "type": _concept(*server),
            "who": {"display": "TrustVQA gateway"},
            "requestor": False,
            "network": _network(None),
        },
    ]
    if "who" in body:
        user = _RECIPIENT if profile == "Read" else _AUTHOR
        found.append({"type": _concept(*user), "who": {"display": str(body["who"])}, "requestor": True})
    return found


def _data(kind: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    what = next((name for name in ("answer", "review", "alarm", "calibrator", "strike") if name in body), None)
    identifier = {"system": f"{_OWN}:{what or kind}", "value": str(body.get(what or "", kind))}
    found: list[dict[str, Any]] = []
    if body.get("request"):
        request = {"identifier": {"value": str(body["request"])}}
        found.append({"type": _coding(_REQUEST, "XrequestId"), "what": request})
    role = _coding(_HL7 + "object-role", "4", "Domain Resource")
    data = _coding(_HL7 + "audit-entity-type", "2", "System Object")
    return [*found, {"type": data, "role": role, "what": {"identifier": identifier}}]


def _entry_entity(entry: LogEntry) -> dict[str, Any]:
    """Make the entity of the entry itself: its kind, what it says, and its seal, by which it is found in the log."""
    kind = _coding(_HL7 + "audit-entity-type", "4", "Other")
    parts = {"kind": entry.kind, "body": entry.body, "number": str(entry.number), "key": entry.key, "mac": entry.mac}
    details = [{"type": name, "valueBase64Binary": base64.b64encode(text.encode())} for name, text in parts.items()]
    what = {"identifier": {"system": f"{_OWN}:entry", "value": str(entry.number)}}
    return {"type": kind, "what": what, "detail": details}


def _network(name: Any) -> dict[str, Any]:
    try:
        ipaddress.ip_network(str(name))
    except ValueError:
        # A key's holder is known by its id: no address is kept of it. The profile wants the element all the same.
        return {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}
    return {"address": str(name), "type": "2"}


def _coding(system: str, code: str, display: str | None = None) -> dict[str, str]:
    return {"system": system, "code": code, **({} if display is None else {"display": display})}


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [_coding(system, code, display)]}
