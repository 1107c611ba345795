"""Codes and addresses of FHIR's terminologies and of HL7's draft "AI Transparency on FHIR"."""

from __future__ import annotations

from typing import Any, Final

_TRANSPARENCY: Final = "http://hl7.org/fhir/uv/aitransparency"
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"

CONFIDENCE: Final = f"{_TRANSPARENCY}/StructureDefinition/AIconfidence"
"""Extension of the draft: a decimal is the probability that a result is right, a range its interval."""

AI_KIND: Final = f"{_TRANSPARENCY}/StructureDefinition/aitransparency.AIKind"
"""Extension of the draft: the kind of an AI device."""

DICOM_UID: Final = "urn:dicom:uid"
"""System of identifiers that are DICOM's UIDs."""

AI_ASSERTED: Final = {
    "system": f"{_TERMINOLOGY}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""Security label of what an AI asserted."""


def concept(system: str, code: str, display: str) -> dict[str, Any]:
    """Make a CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}]}


AI_DEVICE: Final = concept(
    f"{_TRANSPARENCY}/CodeSystem/AIdeviceTypeCS", "Artificial-Intelligence", "All kinds of Artificial Intelligence"
)
AI_ROLE: Final = {"coding": [{each: AI_DEVICE["coding"][0][each] for each in ("system", "code")}]}
"""Role of an AI among the agents of a Provenance: the draft fixes it, so that a display would be a departure."""

LANGUAGE_MODEL: Final = concept(
    f"{_TRANSPARENCY}/CodeSystem/AIdeviceTypeCS", "Large-Language-Models", "Large Language Models"
)
IMAGING: Final = concept(f"{_TERMINOLOGY}/observation-category", "imaging", "Imaging")
NOT_KNOWN: Final = concept(f"{_TERMINOLOGY}/data-absent-reason", "asked-unknown", "Asked But Unknown")
AUTHOR: Final = concept(f"{_TERMINOLOGY}/provenance-participant-type", "author", "Author")
ASSEMBLER: Final = concept(f"{_TERMINOLOGY}/provenance-participant-type", "assembler", "Assembler")


def uid_identifier(uid: str) -> dict[str, str]:
    """Make an identifier of a DICOM UID.

    Example:
        >>> uid_identifier("1.2.3")
        {'system': 'urn:dicom:uid', 'value': 'urn:oid:1.2.3'}
    """
    return {"system": DICOM_UID, "value": f"urn:oid:{uid}"}
