"""The engine that the downstream service's settings ask for."""

from __future__ import annotations

from pathlib import Path

from services.common.engine.model.adapter import ModelOptions
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine
from services.common.engine.vision.picture_decoding import EncodedPictureLimits
from services.downstream.settings import DownstreamSettings


async def load_engine(settings: DownstreamSettings) -> TransformersEngine:
    """Load the model that the settings name.

    Args:
        settings: The service's settings.

    Returns:
        An engine that is not started yet.

    Raises:
        EngineError: If there is no model that the engine can run.
    """
    model = ModelOptions(
        Path(settings.model_path),
        dtype=settings.dtype,
        device=settings.device,
        max_model_len=settings.max_model_len,
        slots=settings.max_batch,
        picture_limits=EncodedPictureLimits(
            settings.max_image_bytes, settings.max_image_pixels, settings.image_worker_bytes
        ),
        max_pictures=settings.max_images,
        prefix_entries=settings.prefix_entries,
        prefix_bytes=settings.prefix_bytes,
    )
    options = EngineOptions(
        max_waiting=settings.max_waiting,
        timeout_s=settings.deadline_s,
        threads=settings.threads,
        picture_workers=settings.image_worker_limits,
    )
    return await TransformersEngine.load(model, options)
