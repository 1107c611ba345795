"""The downstream service: an OpenAI-compatible API in front of the in-process engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import structlog
from fastapi import FastAPI

from services.common.clients.http_client import HttpClient
from services.common.engine.interface import EngineStats, ServedEngine
from services.common.http.app import create_app
from services.common.http.health import Dependency
from services.common.metrics_registry import MetricsRegistry
from services.common.openai.errors import OpenAIEnvelopes, OpenAIError, on_openai_error
from services.common.openai.replies import ErrorReply
from services.downstream.chat import ChatService
from services.downstream.endpoints import make_router
from services.downstream.engine_loader import load_engine
from services.downstream.metrics import EngineCollector
from services.downstream.picture_fetcher import PictureFetcher
from services.downstream.settings import DownstreamSettings

_log = structlog.get_logger(__name__)

LoadEngine = Callable[[DownstreamSettings], Awaitable[ServedEngine]]


class DownstreamService:
    """The running service, as its routes use it: the engine once it is loaded, and until then why it is not.

    Args:
        settings: The service's settings.
        load: Loads the engine.
    """

    def __init__(self, settings: DownstreamSettings, load: LoadEngine) -> None:
        self._settings = settings
        self._load = load
        self._engine: ServedEngine | None = None
        self._chat: ChatService | None = None
        self._trouble: str | None = None

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Load the engine beside the running server, so that the process is live while a large model loads."""
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(HttpClient(follow_redirects=False, trust_env=False))
            opening = asyncio.create_task(self._open(stack, http))
            try:
                yield
            finally:
                opening.cancel()
                with suppress(asyncio.CancelledError):
                    await opening

    async def _open(self, stack: AsyncExitStack, http: httpx.AsyncClient) -> None:
        settings = self._settings
        try:
            engine = await self._load(settings)
        except Exception as error:
            _log.error("model cannot be loaded", model=settings.model, exc_info=error)
            self._trouble = f"the model cannot be loaded ({type(error).__name__}); see the log"
            return
        self._engine = await stack.enter_async_context(engine)
        fetcher = PictureFetcher(http, settings.image_hosts, settings.max_image_bytes, settings.image_timeout_s)
        self._chat = ChatService(engine, fetcher, settings, int(time.time()))

    def chat(self) -> ChatService:
        """Look up the chat service; raises OpenAIError while there is none."""
        if self._chat is None:
            raise OpenAIError(
                503,
                "The model is not loaded yet." if self._trouble is None else "The model cannot be loaded.",
                kind="server_error",
                code="model_unavailable",
                retry_after=2 if self._trouble is None else 60,
            )
        return self._chat

    def stats(self) -> EngineStats:
        """Read the engine's counters."""
        return EngineStats() if self._engine is None else self._engine.stats

    async def readiness(self) -> dict[str, Dependency]:
        """Check whether the model answers."""
        if self._chat is None:
            return {"model": Dependency(ok=False, detail=self._trouble or "loading")}
        healthy = self._chat.healthy
        return {"model": Dependency(ok=healthy, detail=self._settings.model if healthy else "the engine stopped")}

    def is_alive(self) -> bool:
        """Whether the engine has not ended; one that is loading, or cannot be loaded, has not begun."""
        return self._chat is None or self._chat.healthy

    async def version_info(self) -> dict[str, Any]:
        """Name the model that is served and the engine that runs it."""
        return {"model": self._settings.model, "engine": self._settings.engine}


def downstream_app(settings: DownstreamSettings, *, load: LoadEngine = load_engine) -> FastAPI:
    """Make the downstream service's application.

    Args:
        settings: Its settings.
        load: Loads the engine; by default from settings.model_path.

    Returns:
        The application. It is live at once and ready when the model is loaded.
    """
    metrics = MetricsRegistry.of_this_process()
    service = DownstreamService(settings, load)
    metrics.register(EngineCollector(service.stats))
    app = create_app(
        settings,
        title="TrustVQA downstream",
        description="OpenAI's chat completions and responses in front of the multimodal model that answers questions.",
        lifespan=service.lifespan,
        readiness=service.readiness,
        version_info=service.version_info,
        metrics=metrics,
        max_body_bytes=settings.max_body_bytes,
        body_timeout_s=settings.body_timeout_s,
        is_alive=service.is_alive,
        paced={"/v1/chat/completions", "/v1/responses"},
        other_errors={"/v1/": ErrorReply},
        examples=Path(__file__).parent / "examples",
    )
    app.add_exception_handler(OpenAIError, on_openai_error)
    app.include_router(make_router(service.chat))
    app.add_middleware(OpenAIEnvelopes)
    return app
