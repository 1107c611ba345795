"""Devices of a result: the gateway, the models and the calibrator, each with its version."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.gateway.results.fhir.codes import AI_DEVICE, AI_KIND, LANGUAGE_MODEL
from services.gateway.results.result import AnswerResult

Release = Literal["R4B", "R5"]
"""Release of FHIR: 4.3 is R4B, 5.0 is R5."""

_NAMESPACE: Final = uuid.UUID("6c0a4f0e-4b8c-5d0d-8a29-0a7f7e4d5b11")


@dataclass(frozen=True, slots=True)
class ResultDevice:
    """Software that had a part in a result.

    Attributes:
        name: What it is.
        version: Its version; of models and calibrators their names, which are never given twice.
        is_model: Whether it is a language model.
    """

    name: str
    version: str
    is_model: bool = False

    @property
    def id(self) -> str:
        """Id of the resource: the same for the same software wherever it stands."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.name}\n{self.version}"))

    @property
    def reference(self) -> dict[str, str]:
        """Reference to the resource."""
        return {"reference": f"urn:uuid:{self.id}", "display": f"{self.name} {self.version}"}

    def resource(self, release: Release) -> Mapping[str, Any]:
        """Make the Device."""
        is_r5 = release == "R5"
        named = {"value" if is_r5 else "name": self.name, "type": "user-friendly-name"}
        made: dict[str, Any] = {
            "resourceType": "Device",
            "id": self.id,
            "status": "active",
            "manufacturer": "TrustVQA",
            "name" if is_r5 else "deviceName": [named],
            "version": [{"value": self.version}],
            "type": [AI_DEVICE] if is_r5 else AI_DEVICE,
        }
        if self.is_model:
            # Not ours: whose it is, its name says at best.
            del made["manufacturer"]
            made["extension"] = [{"url": AI_KIND, "valueCodeableConcept": LANGUAGE_MODEL}]
        return made


def gateway_device(result: AnswerResult) -> ResultDevice:
    """Name the gateway that decided."""
    return ResultDevice("TrustVQA gateway", result.software)


def devices_of(result: AnswerResult) -> list[ResultDevice]:
    """List the devices, the gateway first; without a confidence there is no calibrator among them."""
    models = result.models
    found = [gateway_device(result), ResultDevice("Downstream model", models.downstream, is_model=True)]
    if models.second_downstream is not None:
        found.append(ResultDevice("Second downstream model", models.second_downstream, is_model=True))
    if models.policy is not None:
        found.append(ResultDevice("Guidance policy", models.policy, is_model=True))
    if result.calibrator is not None:
        found.append(ResultDevice("Confidence calibrator", result.calibrator))
    return found
