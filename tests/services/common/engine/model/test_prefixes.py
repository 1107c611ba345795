"""Prompts that are kept for others that begin alike: what is found, what is kept, and within which bounds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.common.engine.interface import Message
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.prefixes import PrefixCache
from services.common.engine.model.prompt import Prompt
from tests.services.common.engine.tiny import data_url, png


def prompt(tokens: list[int], pictures: bytes = b"one", text_from: int = 0) -> Prompt:
    return Prompt(tokens, torch.arange(len(tokens)), len(tokens), pictures=pictures, text_from=text_from)


def keep(cache: PrefixCache, tokens: list[int], pictures: bytes = b"one") -> None:
    part = [torch.zeros(2, len(tokens), 4)]
    cache.keep(prompt(tokens, pictures), part, part)


@given(st.lists(st.lists(st.integers(0, 2), min_size=17, max_size=60), min_size=1, max_size=6), st.data())
def test_what_is_found_is_the_longest_beginning_that_any_has_in_common(
    kept: list[list[int]], data: st.DataObject
) -> None:
    cache = PrefixCache(10, 1 << 20)
    for tokens in kept:
        keep(cache, tokens)
    base = data.draw(st.sampled_from(kept))
    asked = base[: data.draw(st.integers(1, len(base)))] + data.draw(st.lists(st.integers(0, 2), max_size=20))
    alike = max(
        next((i for i, (a, b) in enumerate(zip(asked, e, strict=False)) if a != b), min(len(asked), len(e)))
        for e in kept
    )
    found = cache.find(prompt(asked))
    if alike < 16:
        assert found is None
    else:
        assert found is not None
        assert found.length == min(alike, len(asked) - 1)
        assert list(found.kept.tokens[: found.length]) == asked[: found.length]


def test_nothing_is_shared_between_different_pictures_or_without_any() -> None:
    cache = PrefixCache(10, 1 << 20)
    keep(cache, list(range(40)))
    assert cache.find(prompt(list(range(40)))) is not None
    assert cache.find(prompt(list(range(40)), b"other")) is None
    assert cache.find(prompt(list(range(40)), b"")) is None
    assert not cache.wants(prompt(list(range(40)), b""), None)


def test_a_beginning_that_ends_ahead_of_the_pictures_is_none() -> None:
    cache = PrefixCache(10, 1 << 20)
    keep(cache, list(range(40)))
    asked = [*range(30), *range(90, 110)]
    assert cache.find(prompt(asked, text_from=31)) is None
    found = cache.find(prompt(asked, text_from=30))
    assert found is not None
    assert found.length == 30


def test_bounds_hold_and_what_was_used_last_stays() -> None:
    cache = PrefixCache(3, 1 << 20)
    for number in range(3):
        keep(cache, [number] * 20)
    cache.find(prompt([0] * 30))
    keep(cache, [3] * 20)
    assert len(cache) == 3
    assert cache.find(prompt([0] * 30)) is not None
    assert cache.find(prompt([1] * 30)) is None

    one = 20 * 8 + 2 * 2 * 20 * 4 * 4
    small = PrefixCache(100, 3 * one)
    for number in range(9):
        keep(small, [number] * 20)
    assert (len(small), small.size) == (3, 3 * one)
    small.clear()
    assert (len(small), small.size) == (0, 0)


def test_a_prompt_beyond_the_bound_is_not_kept_and_not_wanted_again() -> None:
    cache = PrefixCache(100, 1000)
    assert cache.wants(prompt([1] * 20), None)
    keep(cache, [1] * 20)
    assert len(cache) == 0
    assert not cache.wants(prompt([2] * 20), None)
    assert cache.wants(prompt([2] * 19), None)


def test_no_entries_keep_nothing() -> None:
    assert not PrefixCache(0, 1 << 20).wants(prompt([1] * 20), None)


def chat(text: str, images: int = 1) -> list[Message]:
    return [{"role": "user", "content": [*[{"type": "image"}] * images, {"type": "text", "text": text}]}]


@torch.inference_mode()
def test_prompts_that_are_read_on_have_the_logits_of_prompts_that_are_read_whole(
    vision_adapter: TransformersAdapter,
) -> None:
    """A ragged batch behind beginnings of several lengths, with one and two pictures, against nothing kept."""
    adapter = vision_adapter
    adapter.reset()
    builds: Any = adapter.prompts.build
    pictures = [(png(1, 84),), (png(2, 56), png(3, 112)), (png(4, 84),)]
    heads = ["a question about " * 2, "which of these is " * 5, "where does it " * 3]
    prompts = [
        builds(chat(head + "x" * (3 + 30 * row), len(own)), own)
        for row, (head, own) in enumerate(zip(heads, pictures, strict=True))
    ]
    beginnings = [builds(chat(head, len(own)), own) for head, own in zip(heads, pictures, strict=True)]
    adapter.prefill(beginnings, 0)
    for slot, each in enumerate(beginnings):
        adapter.keep(each, slot)
    found = [adapter.prefixes.find(each) for each in prompts]
    known = [each for each in found if each is not None]
    assert len(known) == 3
    logits = adapter.read_on(prompts, known, 2)  # over a slot that holds something else, too
    for row, each in enumerate(prompts):
        assert 0 < known[row].length < len(each.tokens)
        assert torch.allclose(adapter.recompute(each, [])[0], logits[row], atol=1e-4)
    # And the slots hold all of the prompts: the steps behind them are as behind whole ones.
    adapter.fork(4, [0], len(prompts[2].tokens))
    length = torch.tensor([len(prompts[2].tokens)])
    position = torch.tensor([prompts[2].next_position])
    stepped = adapter.step(torch.tensor([7]), torch.arange(1), length, position, int(length))
    assert torch.allclose(adapter.recompute(prompts[2], [7]), stepped, atol=1e-4)


@pytest.mark.parametrize("change", ["byte", "type"])
def test_a_digest_is_of_every_byte_and_of_the_declared_type(vision_adapter: TransformersAdapter, change: str) -> None:
    file = png(1, 84)
    url = data_url(file)
    first = vision_adapter.prompts.draft(chat("x"), [url]).digest
    other = data_url(file[:-1] + bytes([file[-1] ^ 1])) if change == "byte" else data_url(file, "image/jpeg")
    assert first == vision_adapter.prompts.draft(chat("y"), [url]).digest
    assert first != vision_adapter.prompts.draft(chat("x"), [other]).digest
