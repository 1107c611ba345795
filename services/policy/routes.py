"""The policy API's routes."""

from __future__ import annotations

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Request

from services.common.auth import Right, requires
from services.common.http.openapi import problems
from services.common.http.problems import Problem
from services.common.registry.artifact_files import NAME_PATTERN
from services.policy.errors import PolicyVersionError
from services.policy.problems import version_problem
from services.policy.schemas import ActivatedPolicy, CgpReply, CgpRequest, PolicyList
from services.policy.service import PolicyService
from services.policy.versions.catalogue import describe_policies

router = APIRouter()
_log = structlog.get_logger(__name__)


def _running(request: Request) -> PolicyService:
    service = request.app.state.policy
    assert isinstance(service, PolicyService)  # noqa: S101 - set by the lifespan before the first request
    return service


Running = Annotated[PolicyService, Depends(_running)]
_ASK = [requires(Right.ASK)]
_Version = Annotated[str, Path(description="Name of the version.", json_schema_extra={"pattern": NAME_PATTERN})]


@router.post(
    "/v1/cgp",
    dependencies=_ASK,
    summary="Write guidance prompts for a question",
    tags=["prompts"],
    responses=problems(
        {
            404: "The registry has no such policy version.",
            409: "The policy version cannot be used.",
            429: "As many prompts are being written as may: `Retry-After` says when to come back.",
            502: "The policy's model server gave no usable reply.",
            503: "No version is live, or its engine or model server is away: `Retry-After` says when to come back.",
            504: "No prompt within the deadline.",
        }
    ),
)
async def write(request: CgpRequest, service: Running) -> CgpReply:
    """Write calibration guidance prompts: hints that depend on the question and its options only."""
    return await service.writer.write(request)


@router.get("/v1/policies", dependencies=_ASK, summary="List the policy versions", tags=["policies"])
async def policies(service: Running) -> PolicyList:
    """List the registry's policy versions, which is live, and what each says of itself."""
    active, loaded = service.versions.active, frozenset(service.versions.loaded)
    listed = await asyncio.to_thread(describe_policies, service.registry, active=active, loaded=loaded)
    return PolicyList(active=active, policies=listed)


@router.post(
    "/v1/policies/{version}/activate",
    dependencies=[requires(Right.ADMIN)],
    summary="Make a version live (administrators)",
    tags=["policies"],
    responses=problems(
        {
            404: "The registry has no such policy version.",
            409: "The policy version cannot be used: nothing changed.",
            503: "The registry cannot be written: nothing changed.",
        }
    ),
)
async def activate(version: _Version, service: Running) -> ActivatedPolicy:
    """Load a version while the old one serves, then let it take over; requests in flight finish on the old one."""
    try:
        previous = await service.versions.activate(version)
    except PolicyVersionError as error:
        raise version_problem(error) from error
    except OSError as error:
        _log.error("active.json not written", exc_info=error)
        raise Problem(503, "registry-not-writable", "The registry cannot be written; nothing changed.") from error
    return ActivatedPolicy(active=version, previous=previous)
