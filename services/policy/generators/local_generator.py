"""A policy model in this process, on the in-process engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from prompt4trust.models import Completion, Cost, Generation, Sampling
from prompt4trust.prompts import Message
from services.common.engine.interface import Engine, GenerationRequest
from services.common.engine.process_tuning import without_scikit_learn
from services.policy.settings import PolicySettings

_DRAFTS: Final = 128
"""Hints that are remembered, so that others like them are written faster: 1 MB of short ones, 20 MB of the longest."""


class WatchedEngine(Engine, Protocol):
    """An engine that knows whether it runs."""

    @property
    def healthy(self) -> bool:
        """Whether requests are served."""
        ...


class LocalGenerator:
    """A policy model in this process.

    Args:
        engine: The running engine.
        stop: Stops it and frees the model; called when the generator is closed.
    """

    def __init__(self, engine: WatchedEngine, stop: Callable[[], Awaitable[None]]) -> None:
        self._engine = engine
        self._stop = stop

    async def generate(self, messages: Sequence[Message], n: int, sampling: Sampling) -> Generation:
        """Write n continuations of a chat (see Generator)."""
        result = await self._engine.complete(GenerationRequest(messages, sampling, n=n))
        return Generation(
            [Completion(sample.text, sample.finish_reason) for sample in result.samples],
            Cost(1, result.usage.prompt_tokens, result.usage.completion_tokens),
        )

    async def trouble(self) -> str | None:
        """Report that the engine's thread has ended, if so."""
        return None if self._engine.healthy else "its engine has stopped"

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs: it is not started a second time."""
        return self._engine.healthy

    async def aclose(self) -> None:
        """Stop the engine."""
        await self._stop()


async def start_transformers_engine(path: Path, settings: PolicySettings) -> LocalGenerator:
    """Load a model and start an engine on it.

    Args:
        path: Directory in Hugging Face layout.
        settings: Where it runs and how much it takes on.

    Returns:
        A generator that stops the engine when closed.

    Raises:
        EngineError: If there is no model that the engine can run.
        Exception: Whatever else the model library makes of a broken directory.
    """
    # Here, so that a service whose models run elsewhere starts without torch.
    with without_scikit_learn():
        from services.common.engine.model.options import ModelOptions
        from services.common.engine.transformers_engine import EngineOptions, TransformersEngine

    engine = await TransformersEngine.load(
        ModelOptions(path, device=settings.device, dtype="auto", parts=settings.parts_directory),
        # The service bounds what is in flight and each request's time; the engine's own limits stay out of the way.
        EngineOptions(max_waiting=settings.max_in_flight, timeout_s=settings.deadline_s, drafts=_DRAFTS),
    )
    await engine.__aenter__()
    return LocalGenerator(engine, lambda: engine.__aexit__(None, None, None))
