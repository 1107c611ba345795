"""A decoder's own passes: the library's logits, and the library itself where it is not for a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs
from transformers import LlamaForCausalLM, Olmo2Config, Olmo2ForCausalLM

from services.common.engine.decoding.sampling import TIE_SHARE, TIE_TOLERANCE
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.cache import SlotCache
from services.common.engine.model.decoder import Decoder
from services.common.engine.model.options import ModelOptions
from services.common.engine.model.prompt import Prompt
from services.common.engine.parts.store import PartStore
from tests.services.common.engine.tiny import png
from tests.services.common.engine.tiny_parts import TINY_LANGUAGE


def network(adapter: TransformersAdapter) -> Any:
    """The adapter's network, which nothing else has a use for."""
    return adapter._model


@pytest.fixture(params=["text", "adapted", "qwen2_vl", "joined"])
def adapter(request: pytest.FixtureRequest) -> TransformersAdapter:
    found: TransformersAdapter = request.getfixturevalue(f"{request.param}_adapter")
    found.reset()
    return found


@torch.inference_mode()
def test_one_sample_alone_gets_the_librarys_logits_at_every_length(adapter: TransformersAdapter) -> None:
    pictures = [png(3)] if adapter.prompts.max_pictures else []
    content = [*[{"type": "image"}] * len(pictures), {"type": "text", "text": "How large is it, and where?"}]
    prompt = adapter.prompts.build([{"role": "user", "content": content}], pictures)
    adapter.prefill([prompt], 0)
    generated: list[int] = []
    for step in range(20):  # past a multiple of 16, where the view of several samples grows
        generated.append(5 + step)
        length, position = len(prompt.tokens) + step, prompt.next_position + step
        places = torch.tensor([length]), torch.tensor([position])
        logits = adapter.step(torch.tensor(generated[-1:]), torch.arange(1), *places, length)
        assert torch.allclose(logits, adapter.recompute(prompt, generated), atol=2e-4)


def test_each_kind_of_model_that_ships_has_its_own_passes_and_its_weights_once(adapter: TransformersAdapter) -> None:
    found = network(adapter)
    assert Decoder.of(found) is not None
    assert adapter._decoder is not None
    attention = found.get_decoder().layers[0].self_attn
    stored = attention.q_proj.weight.untyped_storage().data_ptr()
    assert attention.k_proj.weight.untyped_storage().data_ptr() == stored
    assert attention.v_proj.weight.untyped_storage().data_ptr() == stored


def test_layers_of_another_build_and_shorter_types_are_left_to_the_library(parts: PartStore) -> None:
    config = Olmo2Config(
        vocab_size=64, hidden_size=48, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4
    )
    assert Decoder.of(Olmo2ForCausalLM(config)) is None
    language = parts.directory(TINY_LANGUAGE)
    assert Decoder.of(LlamaForCausalLM.from_pretrained(language, dtype=torch.bfloat16)) is None
    normed = LlamaForCausalLM.from_pretrained(language)
    normed.get_decoder().layers[-1].self_attn.q_norm = torch.nn.Identity()
    assert Decoder.of(normed) is None


@pytest.mark.parametrize("wrong_pass", ["step", "read"])
@pytest.mark.parametrize("value", [0.0, float("nan")])
@torch.inference_mode()
def test_a_pass_that_is_not_the_librarys_is_not_used(
    text_model: Path, monkeypatch: pytest.MonkeyPatch, wrong_pass: str, value: float
) -> None:
    def wrong(_: Decoder, __: SlotCache, tokens: torch.Tensor, *___: object) -> torch.Tensor:
        return torch.full((len(tokens), width), value)

    width = TransformersAdapter.load(ModelOptions(text_model, slots=2)).width
    monkeypatch.setattr(Decoder, wrong_pass, wrong)
    adapter = TransformersAdapter.load(ModelOptions(text_model, slots=2))
    prompt = adapter.prompts.build([{"role": "user", "content": "How large?"}], ())
    adapter.prefill([prompt], 0)
    place = torch.tensor([len(prompt.tokens)])
    logits = adapter.step(torch.tensor([7]), torch.arange(1), place, place, len(prompt.tokens))
    assert torch.allclose(logits, adapter.recompute(prompt, [7]), atol=2e-4)


WRONG = AssertionError("a pass that cannot be made")


def failing(*_: object) -> torch.Tensor:
    raise WRONG


@pytest.mark.parametrize("part", ["of", "step", "read"])
def test_a_pass_that_fails_is_told_of_and_not_used(
    text_model: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(Decoder, part, failing)
    with capture_logs() as said:
        adapter = TransformersAdapter.load(ModelOptions(text_model, slots=2))
    assert [entry["exc_info"] for entry in said if "passes fails" in entry["event"]] == [True]
    assert is_the_librarys(adapter)


SHIPPED = Path(__file__).resolve().parents[5] / "models"


@pytest.mark.parametrize("model", ["downstream-mini-2", "policy-mini-grpo-1"])
def test_logits_further_off_than_near_ties_are_settled_for_are_not_used(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ModelOptions(SHIPPED / model, slots=2)
    adapter = TransformersAdapter.load(options)
    assert adapter._decoder is not None
    further = 0.75 * adapter.tie_tolerance  # some 3e-5 of the largest logit
    logits_of = Decoder._logits

    def off(decoder: Decoder, hidden: torch.Tensor) -> torch.Tensor:
        logits = logits_of(decoder, hidden)
        logits[..., 3] += further
        return logits

    monkeypatch.setattr(Decoder, "_logits", off)
    assert is_the_librarys(TransformersAdapter.load(options))


def test_large_logits_are_rounded_more_and_settled_further_off(text_model: Path) -> None:
    adapter = TransformersAdapter.load(ModelOptions(text_model, slots=2))
    assert adapter.tie_tolerance == TIE_TOLERANCE
    with torch.no_grad():
        network(adapter).get_output_embeddings().weight.mul_(1000)
    adapter._try_passes()
    assert adapter.tie_tolerance > 2 * TIE_TOLERANCE
    prompts = [adapter._trial(length) for length in (9, 6)]
    greatest = max(float(adapter.recompute(prompt, ()).detach().abs().max()) for prompt in prompts)
    assert TIE_SHARE * greatest <= adapter.tie_tolerance <= 2 * TIE_SHARE * greatest
    assert adapter._decoder is not None


def test_last_parts_lengths_and_axes_are_tried(
    text_model: Path, vision_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, step, angles = Decoder.read, Decoder.step, Decoder._angles

    def blind_to_lengths(own: Decoder, cache: SlotCache, tokens: torch.Tensor, at: torch.Tensor, _: Any) -> Any:
        return step(own, cache, tokens, at, None)

    def ahead_in_tails(own: Decoder, cache: SlotCache, embedded: torch.Tensor, at: torch.Tensor, mask: Any) -> Any:
        return read(own, cache, embedded, at if mask is None else at + 1, mask)

    def on_one_axis(own: Decoder, like: torch.Tensor, at: torch.Tensor) -> Any:
        return angles(own, like, at[:1].expand_as(at))

    wrongs = (("step", blind_to_lengths, text_model), ("read", ahead_in_tails, text_model))
    for part, wrong, path in (*wrongs, ("_angles", on_one_axis, vision_model)):
        with monkeypatch.context() as patch:
            patch.setattr(Decoder, part, wrong)
            assert is_the_librarys(TransformersAdapter.load(ModelOptions(path, slots=2))), part


def is_the_librarys(adapter: TransformersAdapter) -> bool:
    """Whether the library's passes are used, and nothing is left of what was tried."""
    return adapter._decoder is None and adapter._cache.room == 0


@torch.inference_mode()
def test_angles_are_kept_for_no_more_positions_than_slots_have(
    text_adapter: TransformersAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = text_adapter._decoder
    assert own is not None
    monkeypatch.setattr(own, "_turns", torch.empty(0))
    text_adapter.reset()
    prompt = Prompt([token % 60 for token in range(300)], torch.arange(300), 300)
    for length in (20, 300):
        read = replace(prompt, tokens=prompt.tokens[:length], positions=torch.arange(length), next_position=length)
        text_adapter.prefill([read], 0)
        place = torch.tensor([length])
        logits = text_adapter.step(torch.tensor([7]), torch.arange(1), place, place, length)
        assert torch.allclose(logits, text_adapter.recompute(read, [7]), atol=2e-4)
        assert length < len(own._turns) == text_adapter._cache.room <= max(256, 2 * length)
