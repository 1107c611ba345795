"""The engine under load: what a request gets depends on the request alone."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
import torch

from prompt4trust.models import Sampling
from services.common.engine.errors import (
    ContextOverflowError,
    DeadlineExceededError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)
from services.common.engine.interface import Delta, GenerationRequest, Message
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.prompt import Prompt
from services.common.engine.model.prompt_builder import PromptDraft
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine
from tests.services.common.engine.tiny import CONTEXT, SPECIAL, png
from tests.support.waiting import until


@pytest.fixture
async def text_engine(text_adapter: TransformersAdapter) -> AsyncIterator[TransformersEngine]:
    text_adapter.reset()
    async with TransformersEngine(text_adapter, EngineOptions(max_waiting=500)) as engine:
        yield engine


@pytest.fixture
async def vision_engine(vision_adapter: TransformersAdapter) -> AsyncIterator[TransformersEngine]:
    vision_adapter.reset()
    async with TransformersEngine(vision_adapter, EngineOptions(max_waiting=500)) as engine:
        yield engine


def request(
    text: str,
    images: int = 0,
    n: int = 1,
    *,
    stop: tuple[str, ...] = (),
    logprobs: int | None = None,
    **sampling: object,
) -> GenerationRequest:
    parts = [*[{"type": "image"}] * images, {"type": "text", "text": text}]
    return GenerationRequest(
        messages=[{"role": "user", "content": parts}],
        pictures=tuple(png(len(text) + i, 56 + 28 * (len(text) % 3)) for i in range(images)),
        sampling=Sampling(**{"temperature": 1.0, "max_tokens": 12, "seed": 5, **sampling}),  # type: ignore[arg-type]
        n=n,
        stop=stop,
        logprobs=logprobs,
    )


async def texts(engine: TransformersEngine, wanted: GenerationRequest) -> list[str]:
    return [sample.text for sample in (await engine.complete(wanted)).samples]


async def test_hundreds_of_sampled_requests_say_the_same_alone_and_in_any_company(
    vision_engine: TransformersEngine,
) -> None:
    dice = random.Random(41)
    wanted = [
        request(
            "word " * dice.randrange(1, 30),
            images=dice.randrange(3),
            n=dice.choice([1, 1, 1, 3]),
            temperature=dice.choice([0.0, 0.7, 1.0, 1.0, 1.0, 1.5]),
            top_p=dice.choice([1.0, 1.0, 0.9]),
            top_k=dice.choice([0, 0, 20]),
            max_tokens=dice.randrange(1, 16),
            seed=number,
        )
        for number in range(120)
    ]
    alone = [await texts(vision_engine, each) for each in wanted]
    assert len({text for found in alone for text in found}) > 120  # they do differ from one another
    for _ in range(2):
        order = dice.sample(range(len(wanted)), len(wanted))
        together = await asyncio.gather(*(texts(vision_engine, wanted[number]) for number in order))
        assert [together[order.index(number)] for number in range(len(wanted))] == alone


async def test_near_ties_are_settled_by_the_tokens_alone(text_adapter: TransformersAdapter) -> None:
    """With a tolerance that makes every third token a near tie, the texts are still the same."""
    text_adapter.reset()
    options = EngineOptions(max_waiting=500, tie_tolerance=0.5)
    async with TransformersEngine(text_adapter, options) as engine:
        wanted = [request("x" * number, seed=number) for number in range(1, 25)]
        alone = [await texts(engine, each) for each in wanted]
        assert engine.stats.near_ties > 24
        assert await asyncio.gather(*(texts(engine, each) for each in wanted)) == alone


async def test_seeds_and_samples(text_engine: TransformersEngine) -> None:
    wanted = request("tell me", n=20)
    first = await texts(text_engine, wanted)
    assert first == await texts(text_engine, wanted)
    assert len(set(first)) == 20
    assert first[:3] == await texts(text_engine, replace(wanted, n=3))
    assert first != await texts(text_engine, request("tell me", n=20, seed=6))
    free = request("tell me", n=20, seed=None)
    assert await texts(text_engine, free) != await texts(text_engine, free)
    assert len(set(await texts(text_engine, request("tell me", n=5, temperature=0)))) == 1


async def test_samples_beyond_the_batch_follow_when_there_is_room(text_engine: TransformersEngine) -> None:
    many = await texts(text_engine, request("tell me", n=30))
    assert many[:8] == await texts(text_engine, request("tell me", n=8))
    assert len(set(many)) == 30


class SlowPreparation:
    """Prompts with "slow" in them are built when released; how many prompts are read at a time is noted."""

    def __init__(self, adapter: TransformersAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
        self.released = threading.Event()
        self.read: list[int] = []
        draft, prefill = adapter.prompts.draft, adapter.prefill

        def slow_draft(messages: Sequence[Message], images: Sequence[str | bytes]) -> PromptDraft:
            if "slow" in str(messages):
                assert self.released.wait(60)
            return draft(messages, images)

        def noted_prefill(prompts: Sequence[Prompt], first: int) -> torch.Tensor:
            self.read.append(len(prompts))
            return prefill(prompts, first)

        monkeypatch.setattr(adapter.prompts, "draft", slow_draft)
        monkeypatch.setattr(adapter, "prefill", noted_prefill)


async def test_a_prompt_waits_to_be_read_with_those_that_are_being_prepared(
    text_adapter: TransformersAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    text_adapter.reset()
    slow = SlowPreparation(text_adapter, monkeypatch)
    async with TransformersEngine(text_adapter, EngineOptions(patience_s=60)) as engine:
        both = [asyncio.ensure_future(texts(engine, request(text))) for text in ("slow", "quick")]
        await until(lambda: engine.stats.waiting == 1)
        slow.released.set()
        await asyncio.gather(*both)
        assert slow.read == [2]
        # What turns out not to come is not waited for.
        impossible = asyncio.ensure_future(texts(engine, request("text-only models see nothing", images=1)))
        good = asyncio.ensure_future(texts(engine, request("quick")))
        with pytest.raises(InvalidRequestError):
            await impossible
        await good
    assert slow.read == [2, 1]


async def test_a_prompt_waits_for_others_no_longer_than_told(
    text_adapter: TransformersAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    text_adapter.reset()
    slow = SlowPreparation(text_adapter, monkeypatch)
    async with TransformersEngine(text_adapter, EngineOptions(patience_s=0.01)) as engine:
        late = asyncio.ensure_future(texts(engine, request("slow")))
        await texts(engine, request("quick"))
        slow.released.set()
        await late
    assert slow.read == [1, 1]


async def test_a_stream_is_the_text_in_pieces(vision_engine: TransformersEngine) -> None:
    wanted = request("describe", images=1, n=3, max_tokens=30, logprobs=2)
    whole = await vision_engine.complete(wanted)
    deltas: list[Delta] = [delta async for delta in await vision_engine.submit(wanted)]
    for sample in whole.samples:
        own = [delta for delta in deltas if delta.index == sample.index]
        assert len(own) > 5
        assert "".join(delta.text for delta in own) == sample.text
        assert [delta.finish_reason for delta in own[:-1]] == [None] * (len(own) - 1)
        assert own[-1].finish_reason == sample.finish_reason
        streamed = [token for delta in own for token in delta.logprobs]
        assert [token.text for token in streamed] == [token.text for token in sample.logprobs]
        spoken = [token.data for token in streamed if token.text not in SPECIAL]
        assert b"".join(spoken).decode("utf-8", "replace") == sample.text
    assert whole.usage.completion_tokens == sum(sample.completion_tokens for sample in whole.samples)


async def test_log_probabilities_are_the_models_own(
    text_engine: TransformersEngine, text_adapter: TransformersAdapter
) -> None:
    wanted = request("count", temperature=1.7, top_k=50, logprobs=3, max_tokens=6)
    tokens = (await text_engine.complete(wanted)).samples[0].logprobs
    prompt = text_adapter.prompts.build(wanted.messages, ())
    with torch.inference_mode():
        logs = torch.log_softmax(text_adapter.recompute(prompt, []), -1)[0]
    best = torch.topk(logs, 3)
    assert [entry.logprob for entry in tokens[0].top] == pytest.approx(best.values.tolist(), abs=1e-4)
    assert [entry.text for entry in tokens[0].top] == [
        text_adapter.vocabulary.piece(token)[0] for token in best.indices.tolist()
    ]
    pieces = [text_adapter.vocabulary.piece(token)[1] for token in range(len(logs))]
    assert tokens[0].logprob == pytest.approx(float(logs[pieces.index(tokens[0].data)]), abs=1e-4)


async def test_a_stop_string_ends_the_text(text_engine: TransformersEngine) -> None:
    whole = (await texts(text_engine, request("go on", max_tokens=40)))[0]
    end = whole[10:13]
    stopped = (await text_engine.complete(request("go on", max_tokens=40, stop=(end,)))).samples[0]
    assert stopped.text == whole[: whole.index(end)]
    assert stopped.finish_reason == "stop"


async def test_the_end_token_ends_the_text(text_adapter: TransformersAdapter) -> None:
    text_adapter.reset()
    async with TransformersEngine(text_adapter, EngineOptions()) as engine:
        samples = (await engine.complete(request("go on", n=30, max_tokens=300, temperature=2.0))).samples
    ended = [sample for sample in samples if sample.finish_reason == "stop"]
    assert ended
    assert all(sample.completion_tokens < 300 for sample in ended)
    assert not any("<|end|>" in sample.text for sample in samples)
    assert all(sample.completion_tokens == 300 for sample in samples if sample.finish_reason == "length")


async def test_without_a_limit_the_context_is_the_limit(text_engine: TransformersEngine) -> None:
    result = await text_engine.complete(request("z" * 450, max_tokens=None, stop=()))
    assert result.usage.prompt_tokens + result.usage.completion_tokens <= CONTEXT
    room = CONTEXT - result.usage.prompt_tokens
    await text_engine.complete(request("z" * 450, max_tokens=room))
    with pytest.raises(ContextOverflowError, match=f"{room + 1} are asked for"):
        await text_engine.complete(request("z" * 450, max_tokens=room + 1))


async def test_who_hangs_up_leaves_the_batch(text_engine: TransformersEngine) -> None:
    endless = request("z", n=8, max_tokens=400, stop=())
    streaming = await text_engine.submit(endless)
    async for _ in streaming:
        break
    await streaming.aclose()
    waiting = asyncio.ensure_future(text_engine.complete(endless))
    await until(lambda: text_engine.stats.running == 8)
    waiting.cancel()
    await until(lambda: text_engine.stats.running == 0)
    assert text_engine.stats.completion_tokens < 2 * 8 * 400
    assert len(await texts(text_engine, request("still here"))) == 1


async def test_a_full_queue_refuses_and_recovers(text_adapter: TransformersAdapter) -> None:
    text_adapter.reset()
    async with TransformersEngine(text_adapter, EngineOptions(max_waiting=4)) as engine:
        running = [asyncio.ensure_future(engine.complete(request("z", n=6, max_tokens=200))) for _ in range(2)]
        await until(lambda: engine.stats.running == 8 and engine.stats.waiting == 4)
        with pytest.raises(EngineBusyError) as caught:
            await engine.complete(request("one more"))
        assert 1 <= caught.value.retry_after <= 30
        with pytest.raises(InvalidRequestError, match="at most 12"):
            await engine.complete(request("far more", n=13))
        await asyncio.gather(*running)
        assert await texts(engine, request("one more"))


async def test_a_stream_that_nobody_reads_gives_its_place_back(text_adapter: TransformersAdapter) -> None:
    text_adapter.reset()
    async with TransformersEngine(text_adapter, EngineOptions(max_waiting=0)) as engine:
        unread = await engine.submit(request("z", n=8))
        with pytest.raises(EngineBusyError):
            await engine.submit(request("z"))
        await until(lambda: engine.stats.completion_tokens > 0 and engine.stats.running == 0)
        assert await texts(engine, request("z"))
        assert len([delta async for delta in unread if delta.finish_reason]) == 8  # and it can still be read


async def test_a_deadline_ends_what_runs_and_what_waits(text_adapter: TransformersAdapter) -> None:
    text_adapter.reset()
    now = 0.0
    async with TransformersEngine(text_adapter, EngineOptions(), clock=lambda: now) as engine:
        wanted = replace(request("z", n=10, max_tokens=450), timeout_s=60.0)
        running = asyncio.ensure_future(engine.complete(wanted))
        await until(lambda: engine.stats.running == 8)
        now = 61.0
        with pytest.raises(DeadlineExceededError):
            await running
        await until(lambda: engine.stats.running == 0)
        assert await texts(engine, request("in time"))


async def test_one_requests_fault_harms_no_other(
    text_engine: TransformersEngine, text_adapter: TransformersAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = text_adapter.step
    failing = True

    def step(*arguments: torch.Tensor) -> torch.Tensor:
        if failing:
            raise RuntimeError("secret internals")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(text_adapter, "step", step)
    with pytest.raises(EngineError) as caught:
        await text_engine.complete(request("unlucky"))
    assert "secret" not in str(caught.value)
    failing = False
    assert text_engine.healthy
    assert await texts(text_engine, request("lucky"))


async def test_a_prompt_that_cannot_be_read_fails_alone(
    text_engine: TransformersEngine, text_adapter: TransformersAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [await texts(text_engine, request(f"neighbour {i}")) for i in range(4)]
    real, longest, together = text_adapter.prefill, 300, 0

    def prefill(prompts: Sequence[Prompt], first: int) -> torch.Tensor:
        nonlocal together
        if any(len(prompt.tokens) > longest for prompt in prompts):
            together = max(together, len(prompts))
            raise RuntimeError("more than this machine can read")
        return real(prompts, first)

    monkeypatch.setattr(text_adapter, "prefill", prefill)
    said = await asyncio.gather(
        *(texts(text_engine, request(f"neighbour {i}")) for i in range(2)),
        texts(text_engine, request("z" * (longest + 50))),
        *(texts(text_engine, request(f"neighbour {i}")) for i in range(2, 4)),
        return_exceptions=True,
    )
    assert together > 1, "the prompts were not read together"
    assert isinstance(said.pop(2), EngineError)
    assert said == alone


async def test_no_setting_of_decoding_harms_others(text_engine: TransformersEngine) -> None:
    ordinary = [request("ordinary", seed=i) for i in range(4)]
    alone = [await texts(text_engine, each) for each in ordinary]
    extreme = [
        request("extreme", **setting)
        for setting in ({"top_k": 2**63}, {"top_k": 10**30}, {"seed": -(10**30)}, {"temperature": 5e-324})
    ]
    said = await asyncio.gather(*(texts(text_engine, each) for each in (*ordinary, *extreme)))
    assert said[:4] == alone
    assert len(said) == 8


async def test_stopping_fails_what_is_not_done(text_adapter: TransformersAdapter) -> None:
    text_adapter.reset()
    engine = TransformersEngine(text_adapter, EngineOptions())
    with pytest.raises(EngineUnavailableError):
        await engine.complete(request("too early"))
    await engine.start()
    running = asyncio.ensure_future(engine.complete(request("z", n=30, max_tokens=450)))
    await until(lambda: engine.stats.running == 8)
    await engine.aclose()
    with pytest.raises(EngineUnavailableError):
        await running
    assert not engine.healthy
    with pytest.raises(EngineUnavailableError):
        await engine.complete(request("too late"))


async def test_the_event_loop_stays_free(vision_engine: TransformersEngine) -> None:
    """While requests are prepared and run, the loop turns: its longest pause is shorter than a request takes."""
    loop = asyncio.get_running_loop()
    pauses: list[float] = []
    done = False

    async def turn() -> None:
        while not done:
            before = loop.time()
            await asyncio.sleep(0)
            pauses.append(loop.time() - before)

    turning = asyncio.ensure_future(turn())
    began = loop.time()
    await asyncio.gather(*(texts(vision_engine, request("w" * n, images=2, max_tokens=20)) for n in range(16)))
    took = loop.time() - began
    done = True
    await turning
    assert max(pauses) < took / 2
    assert len(pauses) > 100
