"""Contrastive models from disk: every architecture against transformers' own forward pass, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from services.common.contrastive.kinds import is_contrastive
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.wording import Wording
from services.common.engine.errors import EngineError
from tests.services.common.contrastive.tiny import save_clip, save_dual, save_siglip

KINDS: dict[str, Callable[[Path], Path]] = {"clip": save_clip, "siglip": save_siglip, "dual": save_dual}
NAMES = ["left", "right upper", "a"]


@pytest.fixture(scope="module", params=KINDS)
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("plain"))


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 50, 3), dtype=np.uint8))


def test_pictures_and_options_are_encoded_as_transformers_does(directory: Path) -> None:
    model = ContrastiveModel.load(directory)
    network = AutoModel.from_pretrained(directory).eval()
    pixels = AutoImageProcessor.from_pretrained(directory)(images=[picture()], return_tensors="pt")["pixel_values"]
    fixed = network.config.model_type == "siglip"
    padding: dict[str, Any] = {"padding": "max_length", "max_length": 48} if fixed else {"padding": True}
    texts = AutoTokenizer.from_pretrained(directory)(NAMES, **padding, return_tensors="pt")
    if fixed:
        texts.pop("attention_mask")
    texts.pop("token_type_ids", None)
    with torch.no_grad():
        logits = network(**texts, pixel_values=pixels).logits_per_image[0]
    own = model.scale * model.encode_options(NAMES) @ model.encode_pictures([picture()])[0]
    # SigLIP adds one number to all logits, which no softmax sees.
    assert torch.allclose(own.softmax(0), logits.softmax(0), atol=1e-5)


def test_a_context_that_is_made_of_words_vectors_does_what_the_words_do(directory: Path) -> None:
    model = ContrastiveModel.load(directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    network = AutoModel.from_pretrained(directory).eval()
    words = tokenizer("a picture of", add_special_tokens=False)["input_ids"]
    if model._begins:
        words = [each for each in words if each not in (tokenizer.bos_token_id, tokenizer.eos_token_id)]
    context = network.text_model.get_input_embeddings().weight[words].detach()
    behind = model.encode_classes(["left"], context)
    written = ContrastiveModel(network, tokenizer, None, Wording(prompt="a picture of {option}")).encode_options(
        ["left"]
    )
    assert torch.allclose(behind, written, atol=1e-5) or not model._begins  # SigLIP's padding is as long as its room


def test_the_context_is_what_gradients_reach_and_nothing_else(directory: Path) -> None:
    model = ContrastiveModel.load(directory)
    context = torch.nn.Parameter(torch.randn(16, model.width, generator=torch.Generator().manual_seed(0)) * 0.02)
    texts = model.encode_classes(NAMES, context)
    texts[0, 0].backward()
    assert context.grad is not None
    assert context.grad.abs().max() > 0
    assert not any(each.requires_grad for each in model._network.parameters())
    # The hook is gone: texts without a context are what they were.
    assert torch.equal(model.encode_options(NAMES), ContrastiveModel.load(directory).encode_options(NAMES))


def test_a_context_on_disk_stands_ahead_of_options(clip: Path, tmp_path: Path) -> None:
    shutil.copytree(clip, tmp_path / "tuned")
    context = torch.randn(16, 16, generator=torch.Generator().manual_seed(1))
    save_file({"context": context}, tmp_path / "tuned" / "context.safetensors")
    (tmp_path / "tuned" / "contrastive.json").write_text('{"context": true}')
    tuned = ContrastiveModel.load(tmp_path / "tuned")
    assert torch.equal(tuned.encode_options(NAMES), ContrastiveModel.load(clip).encode_classes(NAMES, context))


def test_an_option_longer_than_the_text_tower_is_refused_and_not_cut(clip: Path) -> None:
    model = ContrastiveModel.load(clip)
    with pytest.raises(ValueError, match="at most 48"):
        model.encode_options(["left " * 60])
    with pytest.raises(ValueError, match="at most 48"):
        model.encode_classes(["left " * 40], torch.zeros(16, 16))


def test_texts_of_one_length_are_never_read_at_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ContrastiveModel.load(save_siglip(tmp_path))
    tokenizer = model._tokenizer
    # What a second thread does that counts tokens between the first one's choice of padding and its use.
    monkeypatch.setattr(model, "_tokenizer", lambda texts, **_: tokenizer(texts, return_tensors="pt"))
    with pytest.raises(RuntimeError, match="48"):
        model.encode_options(["left"])


def test_a_tuned_model_keeps_no_words_of_the_options_it_is_asked_about(clip: Path) -> None:
    plain = ContrastiveModel.load(clip)
    tuned = ContrastiveModel(plain._network, plain._tokenizer, None, Wording(context=True), torch.zeros(4, 16))
    assert tuned.encode_options(["left"]).shape == (1, 12)
    assert len(tuned._known) == 0


def test_braces_in_an_option_are_text() -> None:
    assert Wording(prompt="see {option}!").text("{option} {0}") == "see {option} {0}!"


def test_directories_of_other_models_are_told_apart(clip: Path, tmp_path: Path) -> None:
    assert is_contrastive(clip)
    assert not is_contrastive(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_vl"}')
    assert not is_contrastive(tmp_path)
    with pytest.raises(EngineError, match="qwen2_vl"):
        ContrastiveModel.load(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: _rename_weights(folder), "no weights as safetensors"),
        (lambda folder: (folder / "contrastive.json").write_text('{"prompt": "none"}'), "contrastive.json"),
        (lambda folder: (folder / "contrastive.json").write_text('{"context": true}'), "cannot be loaded"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no weights"), "cannot be loaded"),
        (lambda folder: _leave_out_a_tensor(folder), "lack 1 of the model's tensors"),
    ],
)
def test_what_cannot_be_loaded_safely_is_refused(
    clip: Path, tmp_path: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(clip, folder)
    spoil(folder)
    with pytest.raises(EngineError, match=reason):
        ContrastiveModel.load(folder)


def test_code_in_a_directory_is_never_run(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trap"
    shutil.copytree(clip, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "trap.Model", "AutoConfig": "trap.Config"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    ContrastiveModel.load(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_context_of_another_width_is_refused(clip: Path) -> None:
    network, tokenizer = AutoModel.from_pretrained(clip), AutoTokenizer.from_pretrained(clip)
    with pytest.raises(EngineError, match="16 wide"):
        ContrastiveModel(network, tokenizer, None, Wording(), torch.zeros(16, 8))
    with pytest.raises(EngineError, match="no room"):
        ContrastiveModel(network, tokenizer, None, Wording(), torch.zeros(45, 16))


def _rename_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _leave_out_a_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
