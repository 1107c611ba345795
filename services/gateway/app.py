"""The gateway's application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.common.http.app import create_app
from services.common.http.health import Dependency
from services.common.metrics_registry import MetricsRegistry
from services.common.openai.errors import OpenAIEnvelopes, OpenAIError, on_openai_error
from services.common.openai.replies import ErrorReply
from services.gateway.batches.routes import open_batches
from services.gateway.batches.routes import router as batches_router
from services.gateway.cds_hooks.client_tokens import CdsClientJudge
from services.gateway.cds_hooks.routes import router as cds_hooks_router
from services.gateway.cds_hooks.schemas import SERVICE_PATH
from services.gateway.metrics import GatewayMetrics
from services.gateway.monitoring.metrics import MonitoringCollector
from services.gateway.records.metrics import RecordMetrics
from services.gateway.records.records import open_records
from services.gateway.settings import GatewaySettings
from services.gateway.web.administration.calibrator_routes import router as calibrators_router
from services.gateway.web.administration.review_routes import router as reviews_router
from services.gateway.web.answers.chat_routes import CHAT
from services.gateway.web.answers.chat_routes import router as chat_router
from services.gateway.web.calibration_routes import router as monitoring_router
from services.gateway.web.model_card_routes import router as model_card_router
from services.gateway.web.picture_routes import router as pictures_router
from services.gateway.web.record_routes import router as records_router
from services.gateway.web.routes import router
from services.gateway.web.samples.chosen import PageSamples
from services.gateway.web.sign_in import SignIn
from services.gateway.web.static_pages import FILES, add_page
from services.gateway.wiring import open_gateway

_OWN = ("/v1/about", "/v1/calibrators", "/v1/feedback", "/v1/model-card", "/v1/picture", "/v1/reviews")
"""Routes below /v1/ that are not of OpenAI's API."""


def create_gateway(settings: GatewaySettings) -> FastAPI:
    """Make the gateway's application.

    Args:
        settings: What it is told.

    Returns:
        The application: POST /vqa, GET /v1/about, the page at /, and what every service has.

    Raises:
        SampleFolderError: If the folder of the page's samples cannot be used.
    """
    samples = PageSamples(settings)
    registry = MetricsRegistry.of_this_process()
    metrics, record_metrics = GatewayMetrics(registry), RecordMetrics(registry)
    monitoring_metrics = MonitoringCollector(registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_records(settings, record_metrics) as records,
            open_gateway(settings, metrics, records) as gateway,
            open_batches(settings) as batches,
        ):
            app.state.gateway, app.state.batches = gateway, batches
            monitoring_metrics.report = lambda: gateway.monitor.report
            yield

    async def readiness() -> dict[str, Dependency]:
        found: dict[str, Dependency] = await app.state.gateway.readiness()
        return found

    async def version_info() -> Mapping[str, Any]:
        found: Mapping[str, Any] = await app.state.gateway.about()
        return found

    sign_in = SignIn() if settings.api_keys is not None else None
    app = create_app(
        settings,
        title="TrustVQA gateway",
        description="Answers questions about medical pictures with a confidence that can be trusted, or defers to a "
        "person.",
        lifespan=lifespan,
        readiness=readiness,
        version_info=version_info,
        metrics=registry,
        others={FILES: frozenset()},
        browser=sign_in,
        cors_origins=settings.cors_origins,
        paced={"/vqa", CHAT, SERVICE_PATH},
        other_errors={CHAT: ErrorReply, "/v1/models": ErrorReply},
        examples=Path(__file__).parent / "examples",
        judges=[CdsClientJudge(settings)] if settings.cds_clients else (),
        processes=settings.workers,
    )
    app.add_exception_handler(OpenAIError, on_openai_error)
    app.add_middleware(OpenAIEnvelopes, others=_OWN)
    app.include_router(router)
    app.include_router(chat_router)
    app.include_router(pictures_router)
    app.include_router(batches_router)
    app.include_router(cds_hooks_router)
    app.include_router(records_router)
    app.include_router(reviews_router)
    app.include_router(calibrators_router)
    app.include_router(monitoring_router)
    app.include_router(model_card_router)
    app.include_router(samples.router)
    add_page(app, samples.files)
    if sign_in is not None:
        app.include_router(sign_in.router)
    return app
