"""An engine that keeps what it has read: the same texts as one that does not, and never those of another picture."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import torch

from prompt4trust.models import Sampling
from services.common.engine.interface import GenerationRequest, GenerationResult
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.options import ModelOptions
from services.common.engine.model.prompt import Prompt
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine
from tests.services.common.engine.tiny import png


@asynccontextmanager
async def engine_of(
    options: ModelOptions, entries: int, tolerance: float | None = None
) -> AsyncIterator[TransformersEngine]:
    adapter = TransformersAdapter.load(replace(options, prefix_entries=entries))
    async with TransformersEngine(adapter, EngineOptions(max_waiting=500, tie_tolerance=tolerance)) as engine:
        yield engine


def request(text: str, pictures: Sequence[bytes], seed: int = 5, n: int = 1, **sampling: float) -> GenerationRequest:
    parts = [*[{"type": "image"}] * len(pictures), {"type": "text", "text": text}]
    return GenerationRequest(
        [{"role": "user", "content": parts}],
        Sampling(**{"temperature": 1.0, "max_tokens": 10, "seed": seed, **sampling}),  # type: ignore[arg-type]
        tuple(pictures),
        n,
        logprobs=2,
    )


def heads() -> list[tuple[str, tuple[bytes, ...]]]:
    """Questions, some about the same pictures, some in the same words about others."""
    one, two, three = png(1, 84), png(2, 84), png(3, 112)
    same = "what is to be seen in the picture "
    return [
        (same, (one,)),
        (same, (two,)),
        (same, (three,)),
        (same, (one, two)),
        (same, (two, one)),
        ("where ", (one,)),
    ]


def many() -> list[GenerationRequest]:
    dice = random.Random(3)
    return [
        request(
            head + "".join(dice.choice("abc ") for _ in range(dice.randrange(1, 60))),
            pictures,
            seed=number,
            n=dice.choice([1, 1, 3]),
            temperature=dice.choice([0.0, 1.0, 1.0]),
        )
        for number in range(6)
        for head, pictures in heads()
    ]


def said(results: Sequence[GenerationResult]) -> list[list[tuple[str, str, list[str]]]]:
    return [
        [(each.text, each.finish_reason, [token.text for token in each.logprobs]) for each in result.samples]
        for result in results
    ]


@pytest.mark.parametrize("tolerance", [None, 0.3])
async def test_texts_and_log_probabilities_are_those_of_an_engine_that_keeps_nothing(
    vision_options: ModelOptions, tolerance: float | None
) -> None:
    """One after the other and all at once; with a tolerance that makes many tokens near ties, too."""
    wanted = many()
    async with engine_of(vision_options, 0, tolerance) as plain:
        expected = [await plain.complete(each) for each in wanted]
        assert plain.stats.spared_tokens == 0
    async with engine_of(vision_options, 8, tolerance) as engine:
        for head, pictures in heads():
            await engine.complete(request(head, pictures, max_tokens=1))  # ahead, as the gateway does it
        in_turn = [await engine.complete(each) for each in wanted]
        spared = engine.stats.spared_tokens
        at_once = await asyncio.gather(*(engine.complete(each) for each in wanted))
        assert engine.stats.spared_tokens > spared > sum(each.usage.prompt_tokens for each in expected) // 3
        assert tolerance is None or engine.stats.near_ties > 20
    for found in (in_turn, at_once):
        assert said(found) == said(expected)
        assert [each.usage for each in found] == [each.usage for each in expected]
        for one, other in zip(found, expected, strict=True):
            for mine, theirs in zip(one.samples, other.samples, strict=True):
                values = [token.logprob for token in mine.logprobs]
                assert values == pytest.approx([token.logprob for token in theirs.logprobs], abs=2e-4)


class Looks:
    """Counts of a model's looks at pictures: how many requests' pictures in each pass, and files that were decoded."""

    def __init__(self, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passes: list[int] = []
        self.decoded = 0
        adapter, pool = engine._adapter, engine._pictures
        prefill, run = adapter.prefill, pool.run

        def noted(prompts: Sequence[Prompt], first: int) -> torch.Tensor:
            self.passes.append(len(prompts))
            return prefill(prompts, first)

        async def counted(*arguments: object) -> object:
            self.decoded += 1
            return await run(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(adapter, "prefill", noted)
        monkeypatch.setattr(pool, "run", counted)


async def test_a_picture_is_decoded_and_looked_at_once(
    vision_options: ModelOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_of(vision_options, 8) as engine:
        looks = Looks(engine, monkeypatch)
        await engine.complete(request("question ", (png(1, 84),)))
        for number in range(4):
            await engine.complete(request(f"question {number} and what to mind", (png(1, 84),)))
        assert (looks.passes, looks.decoded) == ([1], 1)
        await engine.complete(request("question ", (png(2, 84),)))
        assert (looks.passes, looks.decoded) == ([1, 1], 2)


async def test_prompts_about_one_picture_that_come_together_wait_for_the_first(
    vision_options: ModelOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_of(vision_options, 8) as engine:
        looks = Looks(engine, monkeypatch)
        wanted = [request(f"the same question {n}", (png(picture, 84),)) for n in range(3) for picture in (1, 2)]
        await asyncio.gather(*(engine.complete(each) for each in wanted))
        assert sum(looks.passes) == 2  # of six prompts, one for each picture
    async with engine_of(vision_options, 0) as engine:
        looks = Looks(engine, monkeypatch)
        await asyncio.gather(*(engine.complete(each) for each in wanted))
        assert sum(looks.passes) == 6


async def test_after_a_failed_step_nothing_of_before_is_used(
    vision_options: ModelOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_of(vision_options, 8) as engine:
        whole = await engine.complete(request("question ", (png(1, 84),)))
        step, failing = engine._adapter.step, True

        def once(*arguments: torch.Tensor) -> torch.Tensor:
            if failing:
                raise RuntimeError("out of luck")
            return step(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(engine._adapter, "step", once)
        with pytest.raises(Exception, match="failed"):
            await engine.complete(request("question ", (png(1, 84),)))
        failing = False
        assert len(engine._adapter.prefixes) == 0
        again = await engine.complete(request("question ", (png(1, 84),)))
        assert said([again]) == said([whole])
