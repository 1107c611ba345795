"""The rules of HL7's "AI Transparency on FHIR" for what we write, as a check.

No validator of profiles runs without the network. So its rules stand here, put into code by hand from the text of the
draft, version 1.0.0-ballot, http://hl7.org/fhir/uv/aitransparency: the security label, the extensions AIconfidence and
AIKind, the profiles AI-Provenance and AI-Device. The draft is of R4; of R5 its label and confidence are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

GUIDE = "http://hl7.org/fhir/uv/aitransparency"
CONFIDENCE = f"{GUIDE}/StructureDefinition/AIconfidence"
TYPES = f"{GUIDE}/CodeSystem/AIdeviceTypeCS"
KINDS = {
    "Rule-Based-Systems", "Machine-Learning-Models", "Deep-Learning-Models", "Large-Language-Models", "Hybrid-Models",
}  # fmt: skip
LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
AI = {"system": TYPES, "code": "Artificial-Intelligence"}


def faults_of(bundle: Mapping[str, Any], *, is_r4: bool) -> list[str]:
    """Departures of a bundle from the draft."""
    resources = {each["fullUrl"]: each["resource"] for each in bundle["entry"]}
    found = [fault for each in (bundle, *resources.values()) for fault in _faults_of_label(each)]
    found += [fault for each in resources.values() for fault in _faults_of_confidence(each)]
    if is_r4:
        for each in resources.values():
            if each["resourceType"] == "Device":
                found += _faults_of_device(each)
            elif each["resourceType"] == "Provenance":
                found += _faults_of_provenance(each, resources)
    return found


def _faults_of_label(resource: Mapping[str, Any]) -> Iterator[str]:
    is_asserted = resource["resourceType"] != "Device"
    if resource.get("meta", {}).get("security", []) != ([LABEL] if is_asserted else []):
        yield f"label of {resource['resourceType']}"


def _faults_of_confidence(resource: Mapping[str, Any]) -> Iterator[str]:
    said = [each for each in resource.get("extension", ()) if each["url"] == CONFIDENCE]
    if said and resource["resourceType"] != "Observation":
        yield "confidence of what is no result"
    for each in said:
        match sorted(each):
            case ["url", "valueDecimal"]:
                if not 0 <= each["valueDecimal"] <= 1:
                    yield "confidence is no probability"
            case ["url", "valueRange"]:
                low, high = each["valueRange"]["low"], each["valueRange"]["high"]
                if low["value"] > high["value"] or (low["system"], low["code"]) != (high["system"], high["code"]):
                    yield "interval has no order, or two units"
            case _:
                yield "confidence: other values"


def _faults_of_device(device: Mapping[str, Any]) -> Iterator[str]:
    types = device.get("type", {}).get("coding", [])
    if not any({name: each.get(name) for name in AI} == AI for each in types):
        yield "device: type"
    for each in device.get("extension", ()):
        kinds = each.get("valueCodeableConcept", {}).get("coding", [])
        if each["url"] != f"{GUIDE}/StructureDefinition/aitransparency.AIKind" or not any(
            kind["system"] == TYPES and kind["code"] in KINDS for kind in kinds
        ):
            yield "device: kind"


def _faults_of_provenance(provenance: Mapping[str, Any], resources: Mapping[str, Any]) -> Iterator[str]:
    if not provenance.get("target"):
        yield "provenance: target"
    reasons = [each for each in provenance.get("reason", ()) if LABEL in each.get("coding", ())]
    if len(reasons) != 1:
        yield "provenance: reason"
    agents = [each for each in provenance["agent"] if resources[each["who"]["reference"]]["resourceType"] == "Device"]
    if not agents:
        yield "provenance: agent"
    for each in agents:
        # The role is fixed, not a pattern: nothing but system and code.
        if each.get("role") != [{"coding": [AI]}]:
            yield "provenance: role"
        if not each.get("type"):
            yield "provenance: type"
