"""A service's application, with everything that all services share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware

from services.common.auth.access import Access, requires, rules_of
from services.common.auth.authenticator import Authenticator, Browser
from services.common.auth.credentials import Credentials
from services.common.auth.from_settings import credentials_from
from services.common.auth.key import Right
from services.common.auth.metrics import AuthenticationMetrics
from services.common.auth.tokens.token_judge import TokenJudge
from services.common.http.body import BoundedBody
from services.common.http.health import (
    QUIET_PATHS,
    Dependency,
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
from services.common.http.rate_limits.allowances import Allowances
from services.common.http.rate_limits.counter import RequestCounter
from services.common.http.rate_limits.middleware import RateLimiting
from services.common.http.rate_limits.places import AddressPlaces
from services.common.http.telemetry import RequestTelemetry
from services.common.metrics_registry import MetricsRegistry
from services.common.settings import ServiceSettings

_LEAST_HELD_BYTES = 64_000_000
"""Room for the bodies of all requests at once, where four of the largest take less."""

_EXPOSED = ("RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-Id", "traceparent")
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
    judges: Sequence[TokenJudge] = (),
    processes: int = 1,
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
        judges: Judges of tokens that are the service's own business, beside those of its issuer.
        processes: Processes of the service on its address, among which the bounds on one caller are shared out.

    Returns:
        The application; a service adds its own routes, each with what it asks for: a route that does not say is for
        administrators. Swagger UI is at /docs; no page loads scripts from elsewhere.

    Raises:
        KeysError: If the settings name a file of keys that cannot be read.
    """
    registry = metrics if metrics is not None else MetricsRegistry.of_this_process()
    registry.add_process_metrics()
    counted = AuthenticationMetrics(registry)
    credentials = credentials_from(settings, counted, judges)
    redis_url = None if settings.rate_redis_url is None else settings.rate_redis_url.get_secret_value()
    counter = RequestCounter(redis_url, processes=processes)
    app = FastAPI(
        title=title,
        version=software_version(),
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "The service that serves this document."}],
        lifespan=_surrounded(credentials, counter, lifespan),
        openapi_url=None,  # there is a route below
        docs_url=None,  # FastAPI's page loads its scripts from elsewhere; there is one of our own
        redoc_url=None,
        # A redirect would be to http, and have a picture sent in clear, where a proxy speaks https for the service.
        redirect_slashes=False,
        generate_unique_id_function=_name_of,
    )
    around = Surroundings(
        description=description,
        has_keys=credentials is not None,
        has_pages=browser is not None,
        other_errors=other_errors or {},
        examples=examples,
    )
    _serve_document(app, around)
    add_swagger_ui(app)
    app.state.keyring = None if credentials is None else credentials.keyring
    app.state.asks_who = credentials is not None
    checked = readiness if credentials is None or not credentials.judges else _with_issuers(readiness, credentials)
    app.include_router(health_router(settings.service, checked, version_info, registry, is_alive))
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
    # Always there: a key may have a rate of its own, and gets it while the service runs.
    app.add_middleware(
        RateLimiting,
        allowances=Allowances(
            settings.rate_limit,
            settings.concurrent_limit,
            {str(right): rate for right, rate in settings.rate_limits.items()},
            {str(right): most for right, most in settings.concurrent_limits.items()},
        ),
        counter=counter,
        places=AddressPlaces(redis_url),
        asks_who=credentials is not None,
        processes=processes,
    )
    # Around the bodies' bound: whoever may not ask is told so before the first byte of a body is read.
    app.add_middleware(
        Authenticator,
        api=app,
        credentials=credentials,
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
    app.add_middleware(HostCheck, names=settings.answered_hosts, same_origin=credentials is None, origins=cors_origins)
    app.add_middleware(RequestTelemetry, metrics=HttpMetrics(registry), quiet=QUIET_PATHS)
    return app


def _name_of(route: APIRoute) -> str:
    """Name a route's operation in documents, as client generators then name their functions."""
    return route.name


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


def _surrounded(credentials: Credentials | None, counter: RequestCounter, lifespan: Lifespan) -> Lifespan:
    @asynccontextmanager
    async def whole(app: FastAPI) -> AsyncIterator[None]:
        async with nullcontext() if credentials is None else credentials.followed(), lifespan(app):
            try:
                yield
            finally:
                await counter.close()

    return whole


def _with_issuers(readiness: ReadinessCheck, credentials: Credentials) -> ReadinessCheck:
    """Add whether tokens can be checked. A service is ready without: whoever shows a key is let in all the same."""

    async def both() -> dict[str, Dependency]:
        problems = credentials.problems()
        state = Dependency(ok=not problems, required=False, detail="; ".join(problems))
        return {**await readiness(), "token_issuers": state}

    return both
