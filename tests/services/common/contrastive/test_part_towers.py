"""Contrastive models of parts: what the towers make, against a computation by hand, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BertForPreTraining

from services.common.contrastive.kinds import is_contrastive
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.part_towers import WEIGHTS
from services.common.engine.errors import EngineError
from services.common.engine.parts.converters import main as convert
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.pictures import SquarePreparation
from tests.services.common.contrastive.tiny_parts import (
    SIDE,
    TINY_TEXT,
    bert_tokenizer,
    save_part_towers,
    text_config,
    tiny_contrastive_parts,
    tiny_part_towers,
)

NAMES = ["left", "a lower picture"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> PartStore:
    return tiny_contrastive_parts(tmp_path_factory.mktemp("parts"))


@pytest.fixture
def directory(parts: PartStore, tmp_path: Path) -> Path:
    return save_part_towers(tmp_path / "model", parts)


def unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / vector.square().sum().sqrt()


def test_a_text_is_the_mean_of_its_own_tokens_whatever_stands_beside_it(directory: Path, parts: PartStore) -> None:
    assert is_contrastive(directory)
    model = ContrastiveModel.load(directory, parts=parts)
    encoder = AutoModel.from_pretrained(parts.directory(TINY_TEXT), add_pooling_layer=False).eval()
    for name, vector in zip(NAMES, model.encode_options(NAMES), strict=True):
        with torch.no_grad():
            states = encoder(**bert_tokenizer()(name, return_tensors="pt")).last_hidden_state[0]
        assert torch.allclose(vector, unit(states.mean(dim=0)), atol=1e-6)


def test_a_picture_is_projected_from_the_mean_and_the_maximum_of_its_maps(directory: Path, parts: PartStore) -> None:
    model, network = ContrastiveModel.load(directory, parts=parts), tiny_part_towers(parts)
    random = np.random.default_rng(3)
    picture = Image.fromarray(random.integers(0, 256, (23, 31, 3), dtype=np.uint8))
    prepare = SquarePreparation(side=SIDE)
    with torch.no_grad():
        [maps] = network.tower(prepare.normalised(prepare.squares([picture])))
        seen = torch.stack([*(each.mean() for each in maps), *(each.max() for each in maps)])
        norm, out = network.projection.norm, network.projection.out
        scaled = (seen - seen.mean()) / torch.sqrt(seen.var(unbiased=False) + norm.eps)
        expected = unit((out.weight * scaled).sum(dim=1) + out.bias)
    assert torch.allclose(model.encode_pictures([picture])[0], expected, atol=2e-3)  # resized by another library


def test_a_context_may_be_tuned_ahead_of_its_texts(directory: Path, parts: PartStore) -> None:
    model = ContrastiveModel.load(directory, parts=parts)
    context = torch.zeros(4, model.width, requires_grad=True)
    model.encode_classes(NAMES, context)[0, 0].backward()
    assert context.grad is not None
    assert context.grad.abs().sum() > 0


def test_what_does_not_fit_is_told(directory: Path, parts: PartStore) -> None:
    with pytest.raises(EngineError, match="no directory for parts is named"):
        ContrastiveModel.load(directory)
    tensors = load_file(directory / WEIGHTS)
    for changed in (
        {name: each for name, each in tensors.items() if name != "logit_scale"},
        {**tensors, "tower.stem.bias": torch.zeros(8)},  # the parts are the packages' own, and nobody else's
        {**tensors, "more": torch.zeros(1)},
    ):
        save_file(changed, directory / WEIGHTS)
        with pytest.raises(EngineError, match="does not fit the model"):
            ContrastiveModel.load(directory, parts=parts)
    save_file({**tensors, "projection.out.bias": torch.zeros(3)}, directory / WEIGHTS)
    with pytest.raises(EngineError, match="cannot be loaded"):
        ContrastiveModel.load(directory, parts=parts)
    save_file(tensors, directory / WEIGHTS)
    described = json.loads((directory / "config.json").read_text())
    for wrong, says in (
        ({**described, "parts": {"vision": described["parts"]["vision"]}}, "names two parts"),
        ({**described, "text_config": {**described["text_config"], "num_hidden_layers": 2}}, "tiny-text does not fit"),
        ({**described, "image_size": SIDE + 1}, "multiple of the picture network's stride"),
    ):
        (directory / "config.json").write_text(json.dumps(wrong))
        with pytest.raises(EngineError, match=says):
            ContrastiveModel.load(directory, parts=parts)


def test_a_package_s_encoder_is_converted_without_what_its_training_needed(tmp_path: Path) -> None:
    package, target = tmp_path / "package", tmp_path / "converted"
    torch.manual_seed(7)
    model = BertForPreTraining(text_config()).eval()
    model.bert.save_pretrained(package)  # with a pooler, as published ones have
    bert_tokenizer().save_pretrained(package)
    target.mkdir()
    convert("bert", str(package / WEIGHTS), str(target))
    assert not [name for name in load_file(target / WEIGHTS) if "pooler" in name]
    converted = AutoModel.from_pretrained(target, add_pooling_layer=False).eval()
    asked = bert_tokenizer()("a left picture", return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(converted(**asked).last_hidden_state, model.bert(**asked).last_hidden_state)
    assert (target / "tokenizer.json").is_file()
