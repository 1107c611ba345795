"""Starts in-process engines for policy versions."""

from __future__ import annotations

from pathlib import Path

from services.policy.generation import LocalGenerator
from services.policy.settings import PolicySettings


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
    import torch

    from services.common.engine.model.adapter import ModelOptions
    from services.common.engine.transformers_engine import EngineOptions, TransformersEngine

    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    engine = await TransformersEngine.load(
        ModelOptions(path, device=device, dtype="float32" if device == "cpu" else "auto"),
        # The service bounds what is in flight and each request's time; the engine's own limits stay out of the way.
        EngineOptions(max_waiting=settings.max_in_flight, timeout_s=settings.deadline_s),
    )
    await engine.__aenter__()
    return LocalGenerator(engine, lambda: engine.__aexit__(None, None, None))
