"""Liveness, readiness, version and metrics: the same four routes on every service."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict

from services.common.auth.access import OPEN, requires
from services.common.auth.key import Right
from services.common.metrics_registry import MetricsRegistry


class Dependency(BaseModel):
    """State of something that a service needs.

    Attributes:
        ok: Whether it answers.
        required: Whether the service is not ready without it; an optional one that is away only degrades it.
        detail: One line for an operator; no secrets, no addresses.
    """

    ok: bool
    required: bool = True
    detail: str = ""


class Readiness(BaseModel):
    """The reply of /health/ready.

    Attributes:
        status: Whether everything that is required is there.
        dependencies: What the service needs, by name.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ready", "dependencies": {"model": {"ok": True, "required": True, "detail": "it answers"}}}
            ]
        }
    )

    status: Literal["ready", "not_ready"]
    dependencies: dict[str, Dependency]


class Alive(BaseModel):
    """The reply of /health/live.

    Attributes:
        status: Whether the process is of use still.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: Literal["alive", "dead"]


class VersionReply(BaseModel):
    """The reply of /version, with what the service adds: models, calibrators.

    Attributes:
        service: Name of the service.
        software: Version of the software.
        revision: Git revision of the code, or None where it is not known.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {"service": "gateway", "software": "0.1.0", "revision": "3f786850e387550fdab836ed7e6dc881de23001b"}
            ]
        },
    )

    service: str
    software: str
    revision: str | None


ReadinessCheck = Callable[[], Awaitable[dict[str, Dependency]]]
VersionInfo = Callable[[], Awaitable[Mapping[str, Any]]]
Liveness = Callable[[], bool]
"""Whether a process is of use still: False where a part of it has ended that only a restart brings back."""

QUIET_PATHS = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})


_METRICS: Final = {
    "schema": {"type": "string"},
    "example": 'http_requests_total{method="GET",route="/version",status="200"} 1.0\n',
}


def health_router(
    service: str,
    readiness: ReadinessCheck,
    version_info: VersionInfo,
    metrics: MetricsRegistry,
    is_alive: Liveness = lambda: True,
) -> APIRouter:
    """Make the routes that every service has.

    Args:
        service: The service's name.
        readiness: Checks what the service needs, by name.
        version_info: Entries of /version beside the software: models, calibrators.
        metrics: Registry that /metrics exposes.
        is_alive: Whether the process is of use still.

    Returns:
        GET and HEAD of /health/live, /health/ready, /metrics and /version.
    """
    router = APIRouter(tags=["operation"])

    @router.head("/health/live", dependencies=[OPEN], include_in_schema=False)
    @router.get(
        "/health/live",
        dependencies=[OPEN],
        summary="Is the process up?",
        responses={503: {"model": Alive, "description": "A part of it has ended that only a restart brings back."}},
    )
    async def live(response: Response) -> Alive:
        if is_alive():
            return Alive(status="alive")
        response.status_code = 503
        return Alive(status="dead")

    @router.head("/health/ready", dependencies=[OPEN], include_in_schema=False)
    @router.get(
        "/health/ready",
        dependencies=[OPEN],
        summary="Can it answer now?",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Something that is required is not there."}},
    )
    async def ready(request: Request) -> JSONResponse:
        dependencies = await readiness()
        if request.app.state.is_ending:
            dependencies["service"] = Dependency(ok=False, detail="it is ending")
        is_ready = all(found.ok or not found.required for found in dependencies.values())
        body = Readiness(status="ready" if is_ready else "not_ready", dependencies=dependencies)
        return JSONResponse(body.model_dump(), status_code=200 if is_ready else 503)

    @router.head("/metrics", dependencies=[requires(Right.METRICS)], include_in_schema=False)
    @router.get(
        "/metrics",
        dependencies=[requires(Right.METRICS)],
        summary="Prometheus metrics (scope metrics)",
        response_class=Response,
        responses={200: {"content": {"text/plain": _METRICS}, "description": "The metrics."}},
    )
    async def expose() -> Response:
        return Response(metrics.expose(), media_type=CONTENT_TYPE_LATEST)

    @router.head("/version", dependencies=[OPEN], include_in_schema=False)
    @router.get("/version", dependencies=[OPEN], summary="Software, revision and models")
    async def show_version() -> VersionReply:
        more = await version_info()
        return VersionReply(service=service, software=software_version(), revision=revision(), **more)

    return router


@cache
def software_version() -> str:
    """Version of the installed distribution; kept, as its metadata are a file that is parsed."""
    return version("trustvqa")


@cache
def revision() -> str | None:
    """Git revision of the code, or None where there is no checkout (an image carries it in a file REVISION)."""
    root = Path(__file__).resolve().parents[3]
    marker = root / "REVISION"
    if marker.is_file():
        return marker.read_text(encoding="utf-8").strip()
    try:
        found = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607 - wherever git is
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
