"""The bundle of a result: Observation, Devices and Provenance in one document."""

from __future__ import annotations

import importlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from services.gateway.results.fhir.codes import AI_ASSERTED, AI_ROLE, ASSEMBLER, AUTHOR, uid_identifier
from services.gateway.results.fhir.devices import Release, devices_of
from services.gateway.results.fhir.observation import observation_of
from services.gateway.results.result import AnswerResult

_MODULES: Final[Mapping[Release, str]] = {"R4B": "fhir.resources.R4B.bundle", "R5": "fhir.resources.bundle"}
_NAMESPACE: Final = uuid.UUID("0f6a2d57-5a2e-5c33-9f0b-3a1b7c7ad9e4")


def fhir_bundle(result: AnswerResult, release: Release) -> bytes:
    """Write a result as a FHIR bundle in JSON.

    Args:
        result: The result.
        release: Release of FHIR.

    Returns:
        A Bundle of the type collection in UTF-8, checked by fhir.resources: the same bytes for the same result.

    Raises:
        ModuleNotFoundError: If fhir.resources is not installed.
    """
    bundle = _bundle(result, release)
    # A bundle that is none must not leave. What was checked is sent, and not what the library would write of it.
    importlib.import_module(_MODULES[release]).Bundle.model_validate(bundle)
    return json.dumps(bundle, ensure_ascii=False, separators=(",", ":")).encode()


def _bundle(result: AnswerResult, release: Release) -> Mapping[str, Any]:
    observation = observation_of(result)
    resources = [
        observation,
        *(device.resource(release) for device in devices_of(result)),
        _provenance(result, release),
    ]
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid5(_NAMESPACE, f"bundle\n{result.id}")),
        "meta": {"security": [AI_ASSERTED]},
        "type": "collection",
        "timestamp": result.at.isoformat(),
        "entry": [{"fullUrl": f"urn:uuid:{each['id']}", "resource": each} for each in resources],
    }


def _provenance(result: AnswerResult, release: Release) -> Mapping[str, Any]:
    gateway, *others = devices_of(result)
    # The models wrote the answer; the gateway put together what stands here.
    agents = [{"type": ASSEMBLER, "role": [AI_ROLE], "who": gateway.reference}]
    agents += [{"type": AUTHOR, "role": [AI_ROLE], "who": each.reference} for each in others]
    made: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": str(uuid.uuid5(_NAMESPACE, f"provenance\n{result.id}")),
        "meta": {"security": [AI_ASSERTED]},
        "target": [{"reference": f"urn:uuid:{result.id}"}],
        "recorded": result.at.isoformat(),
        "agent": agents,
    }
    reason = {"coding": [AI_ASSERTED]}
    if release == "R5":
        made["authorization"] = [{"concept": reason}]
    else:
        made["reason"] = [reason]
    if (source := result.source) is not None and source.sop_instance_uid:
        shown = f"frame {source.frame} of {source.frames}"
        what = {"identifier": uid_identifier(source.sop_instance_uid), "display": shown}
        made["entity"] = [{"role": "source", "what": what}]
    return made
