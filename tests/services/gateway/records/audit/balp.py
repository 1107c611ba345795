"""The rules of IHE's Basic Audit Log Patterns for AuditEvents, as a table and its check.

No validator of profiles runs without the network. So the profiles that are claimed stand here, put in a table by hand
from IHE's text: Basic Audit Log Patterns (BALP) 1.1, profiles IHE.BasicAudit.Create, .Read, .Update and .Delete,
https://profiles.ihe.net/ITI/BALP/. FHIR's own rules are fhir.resources' part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BASE = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
HL7 = "http://terminology.hl7.org/CodeSystem/"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
REQUEST_ID = ("https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId")
OBJECT = (HL7 + "audit-entity-type", "2")
ROLES = {(HL7 + "object-role", code) for code in ("3", "4", "20")}
SOURCES = {(HL7 + "v3-ParticipationType", code) for code in ("AUT", "INF", "CST")}
RECIPIENT = {(HL7 + "v3-ParticipationType", "IRCP")}
UNKNOWN_OF_DELETE = frozenset({"role", "altId", "name", "location", "policy", "media", "purposeOfUse"})

Code = tuple[str, str]


@dataclass(frozen=True)
class Profile:
    """A profile: what it fixes, and what it leaves out."""

    action: str
    interactions: frozenset[str]
    client: Code
    server: Code
    users: set[Code]
    most_subtypes: int | None = None
    least_interactions: int = 0
    not_of_devices: frozenset[str] = frozenset({"media"})
    not_of_users: frozenset[str] = frozenset({"media", "network"})
    not_of_objects: frozenset[str] = frozenset()


PROFILES: Mapping[str, Profile] = {
    "Create": Profile("C", frozenset({"create"}), (DCM, "110153"), (DCM, "110152"), SOURCES, least_interactions=1),
    "Update": Profile("U", frozenset({"update", "patch"}), (DCM, "110153"), (DCM, "110152"), SOURCES),
    "Read": Profile("R", frozenset({"read", "vread"}), (DCM, "110152"), (DCM, "110153"), RECIPIENT),
    "Delete": Profile(
        "D",
        frozenset({"delete"}),
        (DCM, "110150"),
        (HL7 + "provenance-participant-type", "custodian"),
        SOURCES,
        most_subtypes=1,
        least_interactions=1,
        not_of_devices=UNKNOWN_OF_DELETE,
        not_of_users=frozenset({"media", "network", "altId", "location", "policy"}),
        not_of_objects=frozenset({"lifecycle", "name", "query", "detail"}),
    ),
}


def faults_of(event: Mapping[str, Any]) -> list[str]:
    """Departures of an AuditEvent from the profiles that it claims; of one that claims none there are none."""
    claimed = [each for each in event.get("meta", {}).get("profile", ()) if each.startswith(BASE)]
    return [fault for each in claimed for fault in _faults(event, PROFILES[each.removeprefix(BASE)])]


def _faults(event: Mapping[str, Any], profile: Profile) -> Iterator[str]:
    if _code(event["type"]) != (HL7 + "audit-event-type", "rest"):
        yield "type"
    if event.get("action") != profile.action:
        yield "action"
    if event.get("outcome") != "0":
        yield "outcome"
    if "recorded" not in event or "source" not in event:
        yield "recorded, source"
    yield from _faults_of_subtypes(event.get("subtype", []), profile)
    yield from _faults_of_agents(event.get("agent", []), profile)
    yield from _faults_of_entities(event.get("entity", []), profile)


def _faults_of_subtypes(subtypes: list[dict[str, Any]], profile: Profile) -> Iterator[str]:
    if not subtypes or (profile.most_subtypes is not None and len(subtypes) > profile.most_subtypes):
        yield "subtype: number"
    named = [each for each in subtypes if _code(each) in {(INTERACTION, name) for name in profile.interactions}]
    if len(named) < profile.least_interactions or len({each["code"] for each in named}) < len(named):
        yield "subtype: interaction"
    if any(each.get("display") != each["code"] for each in named):
        yield "subtype: display"  # fixed together with its code


def _faults_of_agents(agents: list[dict[str, Any]], profile: Profile) -> Iterator[str]:
    if len(agents) < 2:
        yield "agent: number"
    for name, code in (("client", profile.client), ("server", profile.server)):
        found = [each for each in agents if code in _codes(each.get("type"))]
        if len(found) != 1:
            yield f"agent {name}: number"
        for each in found:
            if not each.get("who") or not each.get("network"):
                yield f"agent {name}: who, network"
            if profile.not_of_devices & set(each):
                yield f"agent {name}: too much"
    users = [each for each in agents if profile.users & _codes(each.get("type"))]
    if len(users) > 1:
        yield "agent user: number"
    for each in users:
        if not each.get("who") or each.get("requestor") is not True:
            yield "agent user: who, requestor"
        if profile.not_of_users & set(each):
            yield "agent user: too much"
    # Agents that are none of these are allowed, but people whom the profile has a place for belong into it.
    known = {profile.client, profile.server} | profile.users
    if any(not known & _codes(each.get("type")) for each in agents):
        yield "agent: of no slice"


def _faults_of_entities(entities: list[dict[str, Any]], profile: Profile) -> Iterator[str]:
    requests = [each for each in entities if _code(each.get("type", {})) == REQUEST_ID]
    objects = [each for each in entities if _code(each.get("type", {})) == OBJECT]
    if len(requests) > 1:
        yield "entity transaction: number"
    if any(not each.get("what", {}).get("identifier", {}).get("value") for each in requests):
        yield "entity transaction: identifier"
    if len(objects) != 1:
        yield "entity data: number"
    for each in objects:
        if _code(each.get("role", {})) not in ROLES or not each.get("what"):
            yield "entity data: role, what"
        if profile.not_of_objects & set(each):
            yield "entity data: too much"


def _codes(concept: Mapping[str, Any] | None) -> set[Code]:
    return set(map(_code, (concept or {}).get("coding", ())))


def _code(coding: Mapping[str, Any]) -> Code:
    return coding.get("system", ""), coding.get("code", "")
