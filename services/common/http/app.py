"""A service's application, with everything that all services share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware

from services.common.auth.access import Access, requires, rules_of
from services.common.auth.authenticator import Authenticator, Browser
from services.common.auth.key import Right
from services.common.auth.keyring import Keyring
from services.common.auth.metrics import AuthenticationMetrics
from services.common.http.body import BoundedBody
from services.common.http.health import (
    QUIET_PATHS,
    Liveness,
    ReadinessCheck,
    VersionInfo,
    health_router,
    software_version,
)
from services.common.http.hosts import HostCheck
from services.common.http.metrics import HttpMetrics
from services.common.http.openapi import Surroundings, complete
from services.common.http.openapi.swagger_ui import add_swagger_ui
from services.common.http.pacing import Pacing
from services.common.http.problems import install_problem_handlers
from services.common.http.telemetry import RequestTelemetry
from services.common.metrics_registry import MetricsRegistry
from services.common.settings import ServiceSettings

_LEAST_HELD_BYTES = 64_000_000
"""Room for the bodies of all requests at once, where four of the largest take less."""

_EXPOSED = ("Retry-After", "WWW-Authenticate", "X-Request-Id", "traceparent")
"""Headers of replies that scripts of other sites' pages may read."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    settings: ServiceSettings,
    *,
    title: str,
    description: str = "",
    lifespan: Lifespan,
    readiness: ReadinessCheck,
    version_info: VersionInfo,
    metrics: MetricsRegistry | None = None,
    max_body_bytes: int | None = None,
    body_timeout_s: float = 30.0,
    others: Mapping[str, Access] | None = None,
    browser: Browser | None = None,
    is_alive: Liveness = lambda: True,
    paced: Collection[str] = (),
    cors_origins: Collection[str] = (),
    other_errors: Mapping[str, type[BaseModel]] | None = None,
    examples: Path | None = None,
) -> FastAPI:
    """Make an application with health, version, metrics, tracing, problem documents and an authenticator.

    Args:
        settings: The service's settings.
        title: Title of its OpenAPI document.
        description: Description of the service there, in a sentence.
        lifespan: Opens and closes what the service works with.
        readiness: Checks what it needs.
        version_info: Models and calibrators, for /version.
        metrics: Registry of the service's own metrics; a new one by default.
        max_body_bytes: Largest request body (413 beyond it), or None to leave bodies to the service.
        body_timeout_s: Seconds that a client may take to send a body, where max_body_bytes is given.
        others: Rights that routes ask for which are not FastAPI's own, such as mounted files: path -> access.
        browser: Reads browsers' keys, where the service has pages.
        is_alive: Whether the process is of use yet; where it is not, `serve` ends it.
        paced: Paths at which clients that are refused over and over are slowed down while others ask.
        cors_origins: Sites whose pages may ask this service from a browser, each as browsers send its origin.
        other_errors: Beginning of a path -> model of the errors below it, where these are no problem documents.
        examples: Directory of the OpenAPI document's examples; see `Surroundings`.

    Returns:
        The application; a service adds its own routes, each with what it asks for: a route that does not say is for
        administrators. Swagger UI is at /docs; no page loads scripts from elsewhere.

    Raises:
        KeysError: If the settings name a file of keys that cannot be read.
    """
    registry = metrics if metrics is not None else MetricsRegistry.of_this_process()
    registry.add_process_metrics()
    keyring = Keyring(settings.api_keys, settings.service) if settings.api_keys is not None else None
    counted = AuthenticationMetrics(registry)
    if keyring is not None:
        counted.follow(keyring)
    app = FastAPI(
        title=title,
        version=software_version(),
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "The service that serves this document."}],
        lifespan=lifespan if keyring is None else _following(keyring, lifespan),
        openapi_url=None,  # there is a route below
        docs_url=None,  # FastAPI's page loads its scripts from elsewhere; there is one of our own
        redoc_url=None,
        # A redirect would be to http, and have a picture sent in clear, where a proxy speaks https for the service.
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # client generators name functions after it
    )
    around = Surroundings(
        description=description,
        has_keys=keyring is not None,
        has_pages=browser is not None,
        other_errors=other_errors or {},
        examples=examples,
    )
    _serve_document(app, around)
    add_swagger_ui(app)
    app.state.keyring = keyring
    app.include_router(health_router(settings.service, readiness, version_info, registry, is_alive))
    app.state.is_alive = is_alive
    app.state.metrics = registry
    app.state.is_ending = False  # set by `serve`
    install_problem_handlers(app, partial(_methods_of, app))
    if max_body_bytes is not None:
        app.add_middleware(
            BoundedBody,
            max_bytes=max_body_bytes,
            timeout_s=body_timeout_s,
            max_held_bytes=max(_LEAST_HELD_BYTES, 4 * max_body_bytes),
        )
    if paced:
        app.add_middleware(Pacing, paths=paced)
    # Around the bodies' bound: whoever may not ask is told so before the first byte of a body is read.
    app.add_middleware(
        Authenticator,
        api=app,
        keyring=keyring,
        service=settings.service,
        is_loopback=settings.is_loopback,
        others=others or {},
        metrics=counted,
        browser=browser,
    )
    if cors_origins:
        # Around the authenticator: a browser asks first whether it may ask, and shows no key for that. Cookies stay
        # those of the service's own pages.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )
    app.add_middleware(
        HostCheck, names=settings.answered_hosts, same_origin=settings.api_keys is None, origins=cors_origins
    )
    app.add_middleware(RequestTelemetry, metrics=HttpMetrics(registry), quiet=QUIET_PATHS)
    return app


def _methods_of(app: FastAPI, path: str) -> set[str]:
    rules = rules_of(app, {})
    return {method for rule in rules if rule.regex.match(path) for method in rule.methods or ()}


def _serve_document(app: FastAPI, around: Surroundings) -> None:
    made_by_fastapi, one_by_one = app.openapi, Lock()

    @cache
    def completed() -> dict[str, Any]:
        return complete(made_by_fastapi(), around)

    def openapi() -> dict[str, Any]:
        with one_by_one:  # completing changes the document
            return completed()

    # FastAPI's own way to extend the document.
    app.openapi = openapi  # type: ignore[method-assign]

    # In a thread, unlike FastAPI's own route: making the document takes a tenth of a second.
    @app.get("/openapi.json", dependencies=[requires(Right.ASK)], include_in_schema=False)
    def show_openapi() -> Response:
        return JSONResponse(app.openapi())


def _following(keyring: Keyring, lifespan: Lifespan) -> Lifespan:
    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[None]:
        async with keyring.followed(), lifespan(app):
            yield

    return both
