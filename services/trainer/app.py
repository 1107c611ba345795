"""The trainer service's application: runs by API, supervised for as long as it is up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from anyio.abc import TaskGroup
from fastapi import FastAPI

from services.common.http.app import create_app
from services.common.http.health import Dependency
from services.common.metrics_registry import MetricsRegistry
from services.trainer.downstream_address import check_downstream
from services.trainer.errors import ExecutorError
from services.trainer.executors.base import Launch
from services.trainer.executors.factory import Executors
from services.trainer.grpo.connection import Connection, open_client
from services.trainer.metrics import TrainerMetrics
from services.trainer.rewarding.rewarder import Rewarder, reward_answering
from services.trainer.rewarding.routes import router as rewards_router
from services.trainer.routes import Trainer, router
from services.trainer.run_files.records import RunRecord, RunStore
from services.trainer.settings import TrainerSettings
from services.trainer.supervision.planning import TRAINING_MISSING, Planner
from services.trainer.supervision.supervisor import Limits, RunSupervisor, open_supervisor


def trainer_app(settings: TrainerSettings, launch: Callable[[RunRecord], Launch] | None = None) -> FastAPI:
    """Make the trainer service's application.

    Args:
        settings: Its settings.
        launch: Describes the job of a run; by default the planner does.

    Returns:
        The application.
    """
    registry = MetricsRegistry.of_this_process()
    metrics = TrainerMetrics(registry)
    store = RunStore(settings.runs.absolute())
    executors = Executors(settings.docker, settings.kubernetes)

    def now() -> datetime:
        return datetime.now(UTC)

    planner = Planner(settings, store, now=now)
    limits = Limits(settings.slots, settings.max_waiting, settings.cancel_grace_s, settings.poll_s)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        answer = reward_answering(settings)
        http, client = open_client(Connection.of(settings), answer, settings.downstream_api_key)

        def make(tasks: TaskGroup) -> RunSupervisor:
            return RunSupervisor(
                store,
                settings.executor,
                executors.get,
                launch or planner.launch,
                limits,
                tasks,
                counted=metrics.count,
                now=now,
            )

        try:
            async with open_supervisor(make) as supervisor:
                app.state.trainer = Trainer(settings, supervisor, planner, metrics)
                app.state.rewarder = Rewarder(settings, client, answer)
                yield
        finally:
            await http.aclose()
            await executors.close()

    async def readiness() -> dict[str, Dependency]:
        found = {
            "runs": await asyncio.to_thread(_check_directory, settings.runs, "the directory for runs"),
            "registry": await asyncio.to_thread(_check_directory, settings.registry, "the registry"),
            "executor": _check_executor(executors, settings.executor),
            "downstream": await asyncio.to_thread(_check_downstream, settings),
        }
        if settings.executor == "process":
            there = find_spec("trl") is not None
            found["training"] = Dependency(ok=there, required=False, detail="" if there else TRAINING_MISSING)
        return found

    async def version_info() -> dict[str, Any]:
        return {"models": {"downstream": settings.downstream_model}, "executor": settings.executor}

    app = create_app(
        settings,
        title="TrustVQA trainer",
        description="Training and evaluation runs: they are started, followed, cancelled and resumed here.",
        lifespan=lifespan,
        readiness=readiness,
        version_info=version_info,
        metrics=registry,
        max_body_bytes=settings.max_body_bytes,
        examples=Path(__file__).parent / "examples",
    )
    app.include_router(router)
    app.include_router(rewards_router)
    return app


def _check_directory(path: Path, what: str) -> Dependency:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Dependency(ok=False, detail=f"{what} cannot be made")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Dependency(ok=False, detail=f"{what} cannot be written")
    return Dependency(ok=True)


def _check_executor(executors: Executors, name: str) -> Dependency:
    try:
        executors.get(name)
    except ExecutorError as error:
        return Dependency(ok=False, detail=str(error))
    return Dependency(ok=True, detail=name)


def _check_downstream(settings: TrainerSettings) -> Dependency:
    # Runs say themselves when they cannot reach it; until one begins it need not be there.
    try:
        check_downstream(settings.downstream_url, settings.downstream_api_key, timeout_s=2.0)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Dependency(ok=False, required=False, detail=type(error).__name__)
    return Dependency(ok=True, required=False)
