"""Penalties against plain computations of what OpenAI's and vLLM's documents say, and against transformers' own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import MinPLogitsWarper, RepetitionPenaltyLogitsProcessor

from prompt4trust.models import Sampling
from services.common.engine.constraints.penalties import PenaltyState, penalise
from services.common.engine.errors import InvalidRequestError
from services.common.engine.interface import GenerationRequest, Penalties
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine

WIDTH = 40
CPU = torch.device("cpu")


def state_of(penalties: Penalties, prompt: Sequence[int], text: Sequence[int]) -> PenaltyState:
    state = PenaltyState(penalties, prompt, WIDTH, CPU)
    for token in text:
        state.take(token)
    return state


def reference(logits: list[float], penalties: Penalties, prompt: Sequence[int], text: Sequence[int]) -> list[float]:
    """Token by token, as https://platform.openai.com/docs/api-reference/chat/create and vLLM's sampler have it."""
    changed = list(logits)
    counts = Counter(text)
    for token, value in penalties.bias:
        changed[token] += value
    for token in range(WIDTH):
        if token in counts or token in prompt:
            factor = penalties.repetition
            changed[token] = changed[token] / factor if changed[token] > 0 else changed[token] * factor
        changed[token] -= counts[token] * penalties.frequency + (counts[token] > 0) * penalties.presence
    return changed


tokens = st.lists(st.integers(0, WIDTH - 1), max_size=30)
biases = st.dictionaries(st.integers(0, WIDTH - 1), st.floats(-100, 100, width=32), max_size=5)
amount = st.floats(-2, 2, width=32)


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=WIDTH, max_size=WIDTH),
    st.builds(
        Penalties,
        presence=amount,
        frequency=amount,
        repetition=st.floats(0.1, 2),
        bias=biases.map(lambda found: tuple(found.items())),
    ),
    tokens,
    tokens,
)
def test_logits_are_those_of_a_plain_computation(
    logits: list[float], penalties: Penalties, prompt: list[int], text: list[int]
) -> None:
    found, _ = state_of(penalties, prompt, text).apply(torch.tensor(logits), 1.0, 1e-4)
    assert found.numpy() == pytest.approx(np.array(reference(logits, penalties, prompt, text)), rel=1e-4, abs=1e-4)


def test_repetition_and_least_probability_are_those_of_transformers() -> None:
    torch.manual_seed(4)
    logits = 3 * torch.randn(1, WIDTH)
    prompt, text = [1, 2, 3, 3], [4, 5, 1]
    found, _ = state_of(Penalties(repetition=1.7), prompt, text).apply(logits[0], 1.0, 0.0)
    seen: Any = torch.tensor([prompt + text])
    assert torch.equal(found, RepetitionPenaltyLogitsProcessor(1.7)(seen, logits)[0])
    for temperature in (0.5, 1.0, 1.6):
        found, _ = state_of(Penalties(min_p=0.1), prompt, text).apply(logits[0], temperature, 0.0)
        scaled: Any = logits / temperature
        warped = MinPLogitsWarper(0.1)(seen, scaled)[0]
        assert torch.equal(found == -torch.inf, warped == -torch.inf)
    greedy, _ = state_of(Penalties(min_p=0.9), prompt, text).apply(logits[0], 0.0, 0.0)
    assert torch.equal(greedy, logits[0])


def test_what_hangs_on_rounding_is_told() -> None:
    logits = torch.zeros(2, WIDTH)
    logits[:, 0] = 1.0
    logits[1, 1] = 1.0 + float(np.log(0.5)) + 1e-5  # all but at the border of half as likely
    states = [(row, state_of(Penalties(min_p=0.5), [], []), 1.0) for row in range(2)]
    assert penalise(logits, states, 1e-4)[1] == {1}
    assert penalise(logits, states, 0.0)[1] == set()
    strong = state_of(Penalties(repetition=0.2), [], [])
    assert penalise(logits, [(0, strong, 1.0)], 1e-4)[1] == {0}


def asked(penalties: Penalties, seed: int = 1, **sampling: object) -> GenerationRequest:
    decoding = {"temperature": 1.0, "max_tokens": 40, "seed": seed, **sampling}
    return GenerationRequest([{"role": "user", "content": "go on"}], Sampling(**decoding), penalties=penalties)  # type: ignore[arg-type]


async def test_the_engine_decodes_as_the_reference_does(text_adapter: TransformersAdapter) -> None:
    """Greedily, step by step, from logits that are computed anew."""
    text_adapter.reset()
    penalties = Penalties(presence=0.7, frequency=0.4, repetition=1.3, bias=((40, 2.0), (41, -100.0)))
    wanted = asked(penalties, temperature=0.0, max_tokens=25)
    prompt = text_adapter.prompts.build(wanted.messages, ())
    text: list[int] = []
    with torch.inference_mode():
        for _ in range(25):
            logits = text_adapter.recompute(prompt, text)[0].tolist()
            changed = list(logits)
            changed[40] += 2.0
            changed[41] -= 100.0
            for token, count in Counter({**dict.fromkeys(prompt.tokens, 0), **Counter(text)}).items():
                value = changed[token] / 1.3 if changed[token] > 0 else changed[token] * 1.3
                changed[token] = value - 0.4 * count - 0.7 * (count > 0)
            text.append(int(np.argmax(changed)))
            if text[-1] in text_adapter.eos:
                break
    detokenizer = text_adapter.vocabulary.detokenizer()
    said = "".join(map(detokenizer.push, text)) + detokenizer.flush()
    async with TransformersEngine(text_adapter, EngineOptions()) as engine:
        assert (await engine.complete(wanted)).samples[0].text == said
        plain = await engine.complete(asked(Penalties(), temperature=0.0, max_tokens=25))
        assert plain.samples[0].text != said


async def test_penalised_texts_are_the_same_alone_and_in_company(text_adapter: TransformersAdapter) -> None:
    text_adapter.reset()
    kinds = [Penalties(), Penalties(presence=1.5), Penalties(repetition=0.3), Penalties(min_p=0.2, frequency=-1.0)]
    wanted = [asked(kinds[seed % 4], seed) for seed in range(24)]
    async with TransformersEngine(text_adapter, EngineOptions(max_waiting=500, tie_tolerance=0.2)) as engine:
        alone = [(await engine.complete(each)).samples for each in wanted]
        together = await asyncio.gather(*(engine.complete(each) for each in wanted))
        assert [each.samples for each in together] == alone
        with pytest.raises(InvalidRequestError) as caught:
            await engine.complete(asked(Penalties(bias=((text_adapter.width, 1.0),))))
        assert caught.value.param == "logit_bias"
