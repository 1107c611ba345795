"""The listener's application: health, metrics and version; its work goes on beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI

from services.common.clients.bearer import bearer
from services.common.http.app import create_app
from services.common.http.health import Dependency
from services.common.metrics_registry import MetricsRegistry
from services.common.pacs.archive import Archive
from services.listener.gateway_client import GatewayClient
from services.listener.listener import Listener, describe
from services.listener.metrics import ListenerMetrics
from services.listener.receiving.inbox import Inbox
from services.listener.receiving.outcomes import StoreOutcome
from services.listener.receiving.reception import Reception
from services.listener.rules import Rules
from services.listener.settings import ListenerSettings
from services.listener.state import State

if TYPE_CHECKING:
    from services.listener.receiving.store_provider import StoreProvider


def listener_app(settings: ListenerSettings, rules: Rules) -> FastAPI:
    """Make the listener's application.

    Args:
        settings: Its settings.
        rules: Its rules.

    Returns:
        The application; it listens to the archive while it runs.
    """
    registry = MetricsRegistry.of_this_process()
    metrics = ListenerMetrics(registry)

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[None]:
        archive = Archive(
            settings.pacs_url,
            settings.credentials,
            deadline_s=settings.pacs_deadline_s,
            max_bytes=settings.max_instance_bytes,
        )
        async with httpx.AsyncClient(
            base_url=settings.gateway_url,
            headers=bearer(settings.gateway_api_key),
            timeout=settings.gateway_deadline_s,
            trust_env=False,
        ) as http:
            state = await asyncio.to_thread(State, settings.state)
            woken, loop = asyncio.Event(), asyncio.get_running_loop()
            reception = None
            if settings.store_port is not None:
                inbox = await asyncio.to_thread(Inbox, settings.received, max_bytes=settings.received_bytes)

                def arrived(rule: str, new: int) -> None:
                    metrics.found.labels(rule).inc(new)
                    loop.call_soon_threadsafe(woken.set)

                for outcome in StoreOutcome:
                    metrics.received.labels(outcome.label)
                lost = metrics.received.labels(StoreOutcome.LOST.label).inc
                reception = Reception(inbox, state, rules, settings.most_waiting, time.time, arrived, lost)
            gateway = GatewayClient(http)
            listener = Listener(settings, rules, archive, gateway, state, metrics, reception=reception, woken=woken)
            running.state.listener = listener
            provider = await asyncio.to_thread(_receiving, settings, reception, metrics)
            running.state.task = work = asyncio.create_task(listener.run())
            try:
                yield
            finally:
                if provider is not None:
                    await asyncio.to_thread(provider.stop)
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work

    async def readiness() -> dict[str, Dependency]:
        listener: Listener = app.state.listener
        done = "looked into" if settings.looks else "not looked into, as objects are sent"
        return {"archive": Dependency(ok=listener.problem is None, detail=listener.problem or done)}

    async def version_info() -> dict[str, Any]:
        return describe(app.state.listener)

    app = create_app(
        settings,
        title="TrustVQA listener",
        description="Has new instances of a picture archive answered, and stores the reports beside them.",
        lifespan=lifespan,
        readiness=readiness,
        version_info=version_info,
        metrics=registry,
        # A listener whose work has ended is of no use: what started it starts another.
        is_alive=lambda: not hasattr(app.state, "task") or not app.state.task.done(),
    )
    return app


def _receiving(
    settings: ListenerSettings, reception: Reception | None, metrics: ListenerMetrics
) -> StoreProvider | None:
    if reception is None or settings.store_port is None:
        return None
    # Here, because it imports pynetdicom, which whoever receives nothing does without.
    from services.listener.receiving.store_provider import StoreBounds, StoreProvider

    bounds = StoreBounds(
        aet=settings.store_aet,
        callers=settings.store_callers,
        associations=settings.store_associations,
        pdu_bytes=settings.store_pdu_bytes,
        object_bytes=settings.max_instance_bytes,
        object_deadline_s=settings.store_deadline_s,
        idle_s=settings.store_idle_s,
    )
    provider = StoreProvider(bounds, reception, lambda outcome: metrics.received.labels(outcome.label).inc())
    provider.start(settings.store_host, settings.store_port)
    return provider
