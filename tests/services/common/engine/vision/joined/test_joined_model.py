"""Joined models: what is trained, what is saved, and that what is loaded is the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig

from services.common.engine.errors import EngineError
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.config import JoinedConfig
from services.common.engine.vision.joined.loading import load_joined
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration, register_joined
from services.common.engine.vision.joined.training import picture_features, resume_joined, save_joined, with_places
from tests.services.common.engine.tiny import TEMPLATE, picture
from tests.services.common.engine.tiny_parts import save_tiny_joined, tiny_joined


@pytest.fixture
def saved(joined_model: Path) -> Path:
    return joined_model


def prompt(config: Any) -> torch.Tensor:
    return torch.tensor([with_places([70, config.image_token_id, 71, 72], config)])


def test_only_projector_and_adapter_learn(parts: PartStore) -> None:
    model = tiny_joined(parts)
    features = picture_features(model, [picture(1)])
    tokens = prompt(model.config)
    frozen = {name: each.clone() for name, each in model.named_parameters() if not each.requires_grad}
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-2)
    losses = []
    for _ in range(8):
        loss = model(input_ids=tokens, picture_features=features, labels=tokens).loss
        assert loss is not None
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(torch.equal(each, frozen[name]) for name, each in model.named_parameters() if name in frozen)
    learnt = {name for name, each in model.named_parameters() if each.requires_grad}
    assert all(name.startswith("projector.") or ".lora_" in name for name in learnt)
    assert sum(".lora_A." in name for name in learnt) == 2 * 7  # layers x linear layers of each


def test_a_saved_model_is_the_same_merged_and_resumed(parts: PartStore, saved: Path) -> None:
    merged, resumed = load_joined(saved, parts), resume_joined(saved, parts, dtype=torch.float32)
    tokens = prompt(merged.config)
    features = picture_features(merged, [picture(2)])
    with torch.no_grad():
        one, other = (model(input_ids=tokens, picture_features=features).logits for model in (merged, resumed))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert not any(".lora_" in name for name, _ in merged.named_parameters())


def test_the_adapter_and_the_picture_matter(parts: PartStore, saved: Path) -> None:
    adapted, bare = load_joined(saved, parts), tiny_joined(parts)
    bare.projector.load_state_dict(adapted.projector.state_dict())
    tokens = prompt(adapted.config)
    features = picture_features(adapted, [picture(2), picture(3)])
    with torch.no_grad():
        logits = [adapted(input_ids=tokens, picture_features=each[None]).logits[0, -1] for each in features]
        without = bare(input_ids=tokens, picture_features=features[:1]).logits[0, -1]
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    assert (logits[0] - without).abs().max() > 1e-2


def test_features_do_not_depend_on_the_batch(parts: PartStore) -> None:
    model = tiny_joined(parts)
    together = picture_features(model, [picture(number) for number in range(5)], batch=3)
    assert together.shape == (5, 4, 48)
    alone = torch.cat([picture_features(model, [picture(number)]) for number in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_places_that_do_not_fit_are_an_error(parts: PartStore) -> None:
    model = tiny_joined(parts)
    features = picture_features(model, [picture(1)])
    with pytest.raises(ValueError, match="more or fewer places"):
        model(input_ids=torch.tensor([[70, model.config.image_token_id, 71]]), picture_features=features)
    with pytest.raises(ValueError, match="need input_ids"):
        model(inputs_embeds=torch.zeros(1, 3, 48), picture_features=features)


def test_the_directory_is_as_people_expect_it(parts: PartStore, saved: Path) -> None:
    register_joined()
    config = AutoConfig.from_pretrained(saved)
    assert isinstance(config, JoinedConfig)
    assert config.architectures == [JoinedForConditionalGeneration.__name__]
    assert {path.name for path in saved.iterdir()} >= {
        "config.json",
        "preprocessor_config.json",
        "adapter_config.json",
        "adapter_model.safetensors",
        "projector.safetensors",
        "chat_template.jinja",
        "generation_config.json",
    }
    written = (saved / "config.json").read_text()
    assert str(parts.root) not in written
    assert json.loads(written)["parts"]["language"]["package"] == "tiny-language-package"


@pytest.mark.parametrize("spoilt", ["projector.safetensors", "adapter_model.safetensors", "adapter_config.json"])
def test_a_spoilt_file_is_refused(parts: PartStore, spoilt: str, tmp_path: Path) -> None:
    directory = save_tiny_joined(tmp_path / "model", parts)
    (directory / spoilt).write_bytes(b"\x00" * 64)
    with pytest.raises(EngineError, match=spoilt):
        load_joined(directory, parts)


def test_another_kind_of_adapter_is_refused(parts: PartStore, tmp_path: Path) -> None:
    directory = save_tiny_joined(tmp_path / "model", parts)
    config = json.loads((directory / "adapter_config.json").read_text())
    (directory / "adapter_config.json").write_text(json.dumps({**config, "use_dora": True}))
    with pytest.raises(EngineError, match="no plain LoRA adapter"):
        load_joined(directory, parts)


def test_saving_keeps_what_else_is_there(parts: PartStore, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("a card")
    save_joined(tiny_joined(parts), tmp_path, TEMPLATE)
    assert (tmp_path / "card.md").read_text() == "a card"
    assert (tmp_path / "chat_template.jinja").read_text() == TEMPLATE
