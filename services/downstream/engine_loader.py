"""The engine that the downstream service's settings ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from services.common.contrastive.kinds import is_contrastive
from services.common.engine.interface import ServedEngine
from services.common.engine.model.options import ModelOptions
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine
from services.common.engine.vision.picture_decoding import EncodedPictureLimits
from services.downstream.contrastive.engine import ContrastiveEngine, ContrastiveOptions
from services.downstream.settings import DownstreamSettings


async def load_engine(settings: DownstreamSettings) -> ServedEngine:
    """Load the model that the settings name; its config.json says whether it writes or compares.

    Args:
        settings: The service's settings.

    Returns:
        An engine that is not started yet.

    Raises:
        EngineError: If there is no model that the engine can run.
    """
    directory = Path(settings.model_path)
    if is_contrastive(directory):
        return await _load_contrastive(settings, directory)
    model = ModelOptions(
        directory,
        dtype=settings.dtype,
        device=settings.device,
        max_model_len=settings.max_model_len,
        slots=settings.max_batch,
        picture_limits=_picture_limits(settings),
        max_pictures=settings.max_images,
        prefix_entries=settings.prefix_entries,
        prefix_bytes=settings.prefix_bytes,
        parts=settings.parts_directory,
    )
    options = EngineOptions(
        max_waiting=settings.max_waiting,
        timeout_s=settings.deadline_s,
        threads=settings.threads,
        picture_workers=settings.image_worker_limits,
    )
    return await TransformersEngine.load(model, options)


async def _load_contrastive(settings: DownstreamSettings, directory: Path) -> ContrastiveEngine:
    resolved = ModelOptions(directory, dtype=settings.dtype, device=settings.device).resolved()
    dtype = resolved.torch_dtype
    options = ContrastiveOptions(
        max_samples=settings.max_batch + settings.max_waiting,
        timeout_s=settings.deadline_s,
        threads=settings.threads,
        kept_pictures=settings.prefix_entries,
        picture_limits=_picture_limits(settings),
        picture_workers=settings.image_worker_limits,
    )
    if settings.max_model_len is not None:
        options = replace(options, max_model_len=settings.max_model_len)
    return await ContrastiveEngine.load(
        directory,
        options,
        device=resolved.device,
        dtype=torch.float32 if dtype == "auto" else dtype,
        parts=settings.parts_directory,
    )


def _picture_limits(settings: DownstreamSettings) -> EncodedPictureLimits:
    return EncodedPictureLimits(settings.max_image_bytes, settings.max_image_pixels, settings.image_worker_bytes)
