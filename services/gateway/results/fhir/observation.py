"""The Observation of a result: an answer with its confidence, or that there is none and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.gateway.results.fhir.codes import AI_ASSERTED, CONFIDENCE, IMAGING, NOT_KNOWN, uid_identifier
from services.gateway.results.fhir.devices import gateway_device
from services.gateway.results.result import AnswerResult

OPTION_SET: Final = "Options among which the right one is"
COVERAGE: Final = "Rate at which the right option is among them"


def observation_of(result: AnswerResult) -> Mapping[str, Any]:
    """Make the Observation, the same for R4B and R5.

    It is preliminary: no person has looked at it. There is no subject, as the gateway knows none: whoever files it
    adds the patient. A deferral has no value, and no confidence that could be taken for one.
    """
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": result.id,
        "meta": {"security": [AI_ASSERTED]},
        "status": "preliminary",
        "category": [IMAGING],
        "code": {"text": result.question},
        "issued": result.at.isoformat(),
        "method": {"text": result.method},
        "device": gateway_device(result).reference,
        "note": [{"text": note} for note in _notes(result)],
    }
    if result.answer is None:
        made["dataAbsentReason"] = NOT_KNOWN
    else:
        made["valueCodeableConcept"] = {"text": result.answer.text}
    if (extensions := _confidence(result)) is not None:
        made["extension"] = extensions
    if result.option_set is not None:
        made["component"] = [
            {"code": {"text": OPTION_SET}, "valueString": result.options_in_words(result.option_set.letters)},
            {"code": {"text": COVERAGE}, "valueQuantity": _share(result.option_set.coverage)},
        ]
    if (source := result.source) is not None and source.study_uid:
        made["derivedFrom"] = [{"type": "ImagingStudy", "identifier": uid_identifier(source.study_uid)}]
    return made


def _notes(result: AnswerResult) -> list[str]:
    notes = [result.note]
    if result.options:
        notes.append(f"The options were {result.options_in_words()}.")
    return notes


def _confidence(result: AnswerResult) -> list[Mapping[str, Any]] | None:
    if result.confidence is None:
        return None
    said: list[Mapping[str, Any]] = [{"url": CONFIDENCE, "valueDecimal": result.confidence}]
    if result.interval is not None:
        low, high = result.interval
        said.append({"url": CONFIDENCE, "valueRange": {"low": _share(low), "high": _share(high)}})
    return said


def _share(value: float) -> Mapping[str, Any]:
    return {"value": value, "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}
