"""The policy service: calibration guidance prompts, and the policy versions that write them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog
from fastapi import FastAPI

from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.common.clients.retry_budget import RetryBudget
from services.common.http.app import create_app
from services.common.http.health import Dependency
from services.common.metrics_registry import MetricsRegistry
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.policy.cgp_writer import CgpWriter
from services.policy.generators.local_generator import start_transformers_engine
from services.policy.generators.model_servers import ModelServers
from services.policy.metrics import CgpMetrics
from services.policy.routes import router
from services.policy.service import PolicyService
from services.policy.settings import PolicySettings
from services.policy.shared_guidance import open_shared_guidance
from services.policy.versions.loaders import StartGenerator, local_loader, remote_loader
from services.policy.versions.policy_versions import Loader, PolicyVersions

_log = structlog.get_logger(__name__)


def policy_app(settings: PolicySettings, *, start: StartGenerator | None = None) -> FastAPI:
    """Make the policy service's application.

    Args:
        settings: Its settings.
        start: Starts a model in this process from its directory; by default on the transformers engine.

    Returns:
        The application. Policies are loaded once it runs: it is live at once and ready when a policy is.
    """
    metrics = MetricsRegistry.of_this_process()
    counted = CgpMetrics(metrics)

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            registry = Registry(settings.registry)
            await asyncio.to_thread(_seed, registry, settings)
            loader = await _loader(settings, start, stack)
            versions = PolicyVersions(registry, loader, idle_versions=settings.idle_versions)
            stack.push_async_callback(versions.aclose)
            shared = await stack.enter_async_context(
                open_shared_guidance(settings, counted.count_shared, counted.note_shared)
            )
            writer = CgpWriter(versions, settings, counted, shared)
            running.state.policy = PolicyService(settings, registry, versions, writer, shared)
            watcher = asyncio.create_task(versions.watch(settings.poll_interval_s))
            stack.push_async_callback(_cancel, watcher)
            yield

    async def readiness() -> dict[str, Dependency]:
        service: PolicyService = app.state.policy
        return await service.readiness()

    app = create_app(
        settings,
        title="TrustVQA policy",
        description="Calibration guidance prompts, and the policy versions that write them.",
        lifespan=lifespan,
        readiness=readiness,
        version_info=lambda: app.state.policy.version_info(),
        metrics=metrics,
        max_body_bytes=settings.max_body_bytes,
        body_timeout_s=settings.body_timeout_s,
        is_alive=lambda: app.state.policy.versions.alive,
        examples=Path(__file__).parent / "examples",
    )
    app.include_router(router)
    return app


def _seed(registry: Registry, settings: PolicySettings) -> None:
    # A registry that may only be read is fine as long as it holds what is needed.
    try:
        registry.seed(settings.shipped)
        registry.ensure_active(settings.version)
    except (OSError, RegistryError) as error:
        _log.error("registry not seeded", reason=str(error))


async def _loader(settings: PolicySettings, start: StartGenerator | None, stack: AsyncExitStack) -> Loader:
    if settings.engine == "transformers":
        shares = settings.guidance_cache_url is not None
        return local_loader(start or partial(start_transformers_engine, settings=settings), digests=shares)
    pools = [
        HttpPool(url, max_connections=settings.max_in_flight, api_key=settings.upstream_api_key)
        for url in settings.upstream_urls
    ]
    for pool in pools:
        await stack.enter_async_context(pool)
    retry = RetrySettings(deadline_s=settings.deadline_s, budget=RetryBudget())
    return remote_loader(ModelServers(pools, retry), settings.upstream_model)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
