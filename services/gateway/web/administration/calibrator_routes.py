"""Routes by which administrators choose the live calibrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import anyio
import anyio.to_thread
import structlog
from fastapi import APIRouter, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.calibration.artifact import UNRECORDED
from services.common.auth import Right, requires
from services.common.http.openapi import json_body, problems
from services.common.http.openapi.quantities import Count, Share
from services.common.http.problems import Problem
from services.common.registry.activations import Activation
from services.common.registry.artifact_files import NAME_PATTERN
from services.common.registry.directory import Registry
from services.common.registry.errors import NotLiveError, RegistryError, UnknownCalibratorError
from services.common.registry.live_calibrator import live_calibrator
from services.gateway.intake.json_body import check_fields, read_object
from services.gateway.records.audit.entry import Kind
from services.gateway.records.schemas import Who
from services.gateway.web.administration.audit_notes import note_act
from services.gateway.web.dependencies import TheGateway
from services.gateway.wiring import Gateway

_MAX_BODY = 2_000
_HISTORY = 200
_log = structlog.get_logger(__name__)

_Done = TypeVar("_Done")

router = APIRouter(tags=["calibrators"], dependencies=[requires(Right.ADMIN)])


class ChangeRequest(BaseModel):
    """A change of what is live.

    Attributes:
        who: The person or program that changes it, in at most 100 characters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Who


_Name = Annotated[str, Path(description="Name of the calibrator.", json_schema_extra={"pattern": NAME_PATTERN})]
_BODY = json_body(ChangeRequest)
_CHANGING = problems(
    {
        404: "The registry has no such calibrator.",
        409: "The calibrator cannot be used, or to be taken back it would have to be live: nothing changed.",
        503: "The registry cannot be written: nothing changed.",
    }
)


class CalibratorVersion(BaseModel):
    """A calibrator of the registry.

    Attributes:
        name: Its name.
        pair: What it may be applied to.
        method: Its family.
        live: Whether it is the one that is applied.
        created: When it was fitted.
        n: Answers that it was fitted on.
        dataset: What these were.
        ece_before: Expected calibration error of the stated confidences on them.
        ece_after: The same after correction, cross-fitted where the calibrator says so.
        warnings: What a person should know before trusting it.
    """

    name: str
    pair: CalibrationKey
    method: str
    live: bool
    created: AwareDatetime
    n: Count
    dataset: str
    ece_before: Share | None
    ece_after: Share | None
    warnings: list[str]

    @classmethod
    def of(cls, artifact: CalibratorArtifact, *, live: bool) -> CalibratorVersion:
        """Make the reply of an artifact."""
        return cls(
            live=live,
            ece_before=artifact.metrics_before.get("ece", {}).get("value"),
            ece_after=artifact.metrics_after.get("ece", {}).get("value"),
            name=artifact.name,
            pair=artifact.key,
            method=artifact.family,
            created=artifact.created,
            n=artifact.n,
            dataset=artifact.dataset,
            warnings=artifact.warnings if artifact.key.is_whole else [f"It {UNRECORDED}.", *artifact.warnings],
        )


class CalibratorList(BaseModel):
    """The registry's calibrators and what was live.

    Attributes:
        calibrators: The calibrators, the newest of a pair first.
        history: The latest changes of what is live, the oldest first.
    """

    calibrators: list[CalibratorVersion]
    history: list[Activation]


class CalibratorChange(BaseModel):
    """A change of what is live for a calibration key.

    Attributes:
        live: Name of the calibrator that is live now.
        previous: Name of the one before, or None where there was none.
    """

    live: str
    previous: str | None


@router.get(
    "/v1/calibrators",
    summary="List calibrators, which are live, and who made them so (administrators)",
    responses=problems({503: "The registry cannot be read."}),
)
async def calibrators(gateway: TheGateway) -> CalibratorList:
    """List what the registry has."""
    try:
        return await anyio.to_thread.run_sync(_listed, Registry(gateway.settings.registry))
    except RegistryError:
        raise Problem(
            503, "registry-unreadable", "What is live cannot be read: active.json of the registry is spoilt."
        ) from None


@router.post(
    "/v1/calibrators/{name}/activate",
    summary="Make a calibrator live (administrators)",
    openapi_extra=_BODY,
    responses=_CHANGING,
)
async def activate(name: _Name, request: Request, gateway: TheGateway) -> CalibratorChange:
    """Make it the one that is applied to its pair; answers from now on have it."""
    who = await _who(request, gateway)
    previous = await _changing(gateway, lambda registry: registry.activate_calibrator(name, who=who))
    await note_act(request, gateway, Kind.ACTIVATE, {"calibrator": name, "previous": previous, "who": who})
    return CalibratorChange(live=name, previous=previous)


@router.post(
    "/v1/calibrators/{name}/retire",
    summary="Take a calibrator back (administrators)",
    openapi_extra=_BODY,
    responses=_CHANGING,
)
async def retire(name: _Name, request: Request, gateway: TheGateway) -> CalibratorChange:
    """Make the one live again that was before it. It names what it undoes: sent twice, it undoes one change."""
    who = await _who(request, gateway)
    back = await _changing(gateway, lambda registry: registry.retire_calibrator(name, who=who))
    await note_act(request, gateway, Kind.RETIRE, {"calibrator": name, "live": back, "who": who})
    return CalibratorChange(live=back, previous=name)


async def _who(request: Request, gateway: Gateway) -> str:
    timeout_s = gateway.settings.upload_deadline_s
    fields = await read_object(request, "must be an object with who", max_bytes=_MAX_BODY, timeout_s=timeout_s)
    return check_fields(ChangeRequest, fields).who


async def _changing(gateway: Gateway, change: Callable[[Registry], _Done]) -> _Done:
    """Change what is live, and see to it that the next answer knows."""
    try:
        done = await anyio.to_thread.run_sync(change, Registry(gateway.settings.registry))
    except UnknownCalibratorError:
        raise Problem(404, "unknown-calibrator", "The registry has no such calibrator.") from None
    except NotLiveError as error:
        raise Problem(409, "calibrator-not-live", f"Nothing changed: {error}.") from None
    except RegistryError as error:
        _log.error("what is live cannot be changed", reason=str(error))
        raise Problem(409, "calibrator-unusable", "Nothing changed: the calibrator cannot be used.") from None
    except OSError as error:
        _log.error("what is live cannot be changed", exc_info=error)
        raise Problem(503, "registry-not-writable", "The registry cannot be written; nothing changed.") from None
    await gateway.shelves.calibrators.refresh(at_once=True)
    return done


def _listed(registry: Registry) -> CalibratorList:
    found, active = registry.calibrators.load_all(), registry.active.calibrators()
    found.sort(key=lambda each: (each.key.line, each.created, each.name), reverse=True)
    live = {each.key.line: live_calibrator(found, each.key, active) for each in found}
    return CalibratorList(
        calibrators=[CalibratorVersion.of(each, live=each is live[each.key.line]) for each in found],
        history=registry.activations()[-_HISTORY:],
    )
