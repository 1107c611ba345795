"""The encoder's arithmetic against transformers, and the package's weights where these are installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from prompt4trust.errors import EncoderMissingError
from prompt4trust.meaning import minilm as package
from prompt4trust.meaning.bert import LONGEST, BertEncoder, Floats


@pytest.fixture(scope="module")
def model() -> BertModel:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48}
    made: BertModel = BertModel(BertConfig(vocab_size=40, hidden_size=24, **sizes), add_pooling_layer=False)
    made.eval()
    return made


def tensors(model: BertModel) -> Mapping[str, Floats]:
    return {name: each.detach().numpy().astype(np.float32) for name, each in model.state_dict().items() if each.ndim}


def pieces(text: str) -> list[int]:
    return [1, *(3 + ord(sign) % 37 for sign in text), 2]


def test_it_is_transformers_bert_with_the_mean_of_the_last_states(model: BertModel) -> None:
    texts = ["edema", "oedema of the lung", "mass", "x", "a mass"]
    found = BertEncoder(tensors(model), pieces, heads=3).encode(texts)
    for row, text in zip(found, texts, strict=True):
        with torch.no_grad():
            mean = model(torch.tensor([pieces(text)])).last_hidden_state[0].mean(dim=0)
        assert row == pytest.approx((mean / mean.norm()).numpy(), abs=1e-5)


def test_a_text_that_is_too_long_is_like_nothing(model: BertModel) -> None:
    found = BertEncoder(tensors(model), pieces, heads=3).encode(["x" * (LONGEST - 2), "x" * (LONGEST - 1)])
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0], abs=1e-5)
    assert BertEncoder(tensors(model), pieces, heads=3).encode([]).shape == (0, 24)


def test_weights_that_do_not_fit_are_refused(model: BertModel) -> None:
    lacking = {name: each for name, each in tensors(model).items() if name != "encoder.layer.1.output.LayerNorm.bias"}
    with pytest.raises(ValueError, match=r"lack encoder\.layer\.1"):
        BertEncoder(lacking, pieces, heads=3)
    with pytest.raises(ValueError, match="do not fit"):
        BertEncoder(tensors(model), pieces, heads=5)


def test_without_the_package_there_is_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "PACKAGE", "no-such-package")
    monkeypatch.setattr(package, "_loaded", [])
    assert not package.has_minilm()
    with pytest.raises(EncoderMissingError, match="install it with"):
        package.minilm()


@pytest.mark.skipif(not package.has_minilm(), reason="the package with the encoder's weights is not installed")
def test_the_package_s_encoder_puts_words_for_one_thing_together(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = package.minilm()
    assert encoder is package.minilm()
    one, other, third = encoder.encode(["lung mass", "pulmonary mass", "fracture of femur"])
    assert one @ other > 0.8 > 0.5 > one @ third
    monkeypatch.setattr(package, "_loaded", [])
    monkeypatch.setattr(package, "DIGESTS", dict.fromkeys(package.DIGESTS, "0" * 64))
    with pytest.raises(EncoderMissingError, match="not the file"):
        package.minilm()


def test_the_requirements_hold_the_package_that_is_read() -> None:
    lines = (Path(__file__).parents[3] / "deploy" / "encoder-parts.txt").read_text(encoding="utf-8").splitlines()
    (pinned,) = (line for line in lines if not line.startswith("#"))
    assert pinned.startswith(f"{package.PACKAGE}=={package.VERSION} --hash=sha256:")
