"""Pictures of requests are decoded in processes that end with the request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psutil
import pytest

from benchmarks.pictures.attacks import progressive_jpeg
from prompt4trust.models import Sampling
from services.common.engine.interface import GenerationRequest
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine
from tests.services.common.engine.tiny import png
from tests.support.waiting import until


def request(pictures: Sequence[bytes]) -> GenerationRequest:
    parts = [{"type": "image"}] * len(pictures)
    return GenerationRequest([{"role": "user", "content": parts}], Sampling(max_tokens=2), tuple(pictures))


def cpu_s(pid: int) -> float:
    return sum(psutil.Process(pid).cpu_times()[:2])


async def test_a_request_that_is_given_up_ends_the_decoding_of_its_picture(vision_adapter: TransformersAdapter) -> None:
    vision_adapter.reset()
    async with TransformersEngine(vision_adapter, EngineOptions()) as engine:
        await engine.complete(request([png(1)]))
        before = engine.picture_pids
        spent = {pid: cpu_s(pid) for pid in before}
        asked = asyncio.ensure_future(engine.complete(request([progressive_jpeg(8000, 8000, 60)])))
        await until(lambda: any(cpu_s(pid) > spent[pid] + 0.15 for pid in before))  # more than it takes to start
        asked.cancel()
        await until(lambda: len(engine.picture_pids - before) == 1 and len(engine.picture_pids) == 2)
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await engine.complete(request([png(2)]))
