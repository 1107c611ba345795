"""An engine that drafts by what it wrote before: the same texts as one that does not, in fewer passes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from prompt4trust.models import Sampling
from services.common.engine.interface import FinishedSample, GenerationRequest, GenerationResult, Usage
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.scheduling.drafts import Drafts
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine
from tests.support.waiting import until


@asynccontextmanager
async def engine_of(
    adapter: TransformersAdapter, drafts: int, tolerance: float | None = None
) -> AsyncIterator[TransformersEngine]:
    adapter.reset()
    options = EngineOptions(max_waiting=500, drafts=drafts, tie_tolerance=tolerance)
    async with TransformersEngine(adapter, options) as engine:
        yield engine


def request(
    text: str, *, stop: tuple[str, ...] = (), logprobs: int | None = None, **sampling: float
) -> GenerationRequest:
    greedy = {"temperature": 0.0, "max_tokens": 24, **sampling}
    return GenerationRequest(
        [{"role": "user", "content": text}],
        Sampling(**greedy),  # type: ignore[arg-type]
        stop=stop,
        logprobs=logprobs,
    )


def many() -> list[GenerationRequest]:
    """Questions of which some come again, and some are cut short by length or by a stop string."""
    dice = random.Random(4)
    return [
        request(
            "ask " + "ab"[number % 2] * dice.randrange(1, 6),
            stop=dice.choice([(), ("e",)]),
            max_tokens=dice.choice([1, 2, 5, 24]),
        )
        for number in range(60)
    ]


def said(results: list[GenerationResult]) -> list[tuple[tuple[FinishedSample, ...], Usage]]:
    return [(each.samples, each.usage) for each in results]


@pytest.mark.parametrize("tolerance", [None, 0.3])
async def test_texts_are_those_of_an_engine_that_does_not_draft(
    text_adapter: TransformersAdapter, tolerance: float | None
) -> None:
    """With a tolerance that makes many tokens near ties, too."""
    wanted = many()
    async with engine_of(text_adapter, 0, tolerance) as plain:
        expected = said([await plain.complete(each) for each in wanted])
        passes = plain.stats.steps
        assert plain.stats.foreseen_tokens == 0
    async with engine_of(text_adapter, 40, tolerance) as engine:
        assert said([await engine.complete(each) for each in wanted]) == expected
        assert engine.stats.foreseen_tokens > 100
        assert engine.stats.steps < 0.75 * passes
        written = sum(usage.completion_tokens for _, usage in expected)
        await until(lambda: engine.stats.completion_tokens == written)  # told just after the last text
        assert tolerance is None or engine.stats.near_ties > 20
        at_once = await asyncio.gather(*(engine.complete(each) for each in wanted))
        assert said(list(at_once)) == expected


async def test_a_stream_of_a_drafted_text_is_that_text(text_adapter: TransformersAdapter) -> None:
    async with engine_of(text_adapter, 40) as engine:
        whole = (await engine.complete(request("tell me"))).samples[0]
        stream = await engine.submit(request("tell me"))
        pieces = [delta async for delta in stream]
        assert "".join(each.text for each in pieces) == whole.text
        assert pieces[-1].completion_tokens == whole.completion_tokens
        assert engine.stats.foreseen_tokens > 10


async def test_who_samples_or_wants_log_probabilities_gets_each_token_from_a_pass_of_its_own(
    text_adapter: TransformersAdapter,
) -> None:
    async with engine_of(text_adapter, 40) as engine:
        await engine.complete(request("tell me"))
        drawn = request("tell me", temperature=1.0, seed=5)
        for wanted in (drawn, replace(drawn, logprobs=2), request("tell me", logprobs=2)):
            await engine.complete(wanted)
            assert engine.stats.foreseen_tokens == 0


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    drafts = Drafts(2, length=3)
    for first in (10, 20, 30):
        drafts.learn([1, 2], [first, first + 1, first + 2])
    assert len(drafts) == 2
    assert drafts.propose([1, 2], []) == (30, 31, 32)  # the newest that begins so
    assert drafts.propose([1, 2], [20, 21]) == (22,)
    assert drafts.propose([1, 2], [10, 11]) == ()
    drafts.learn([], [5] * 10_000)
    drafts.learn([], [6] * 10_000)
    assert len(drafts._places) < 2_000


def test_without_room_nothing_is_remembered() -> None:
    drafts = Drafts(0)
    drafts.learn([1, 2], [3])
    assert (len(drafts), drafts.propose([1, 2], [])) == (0, ())
