"""The recipe's machinery with a handful of steps: losses, a broken run, and the artifact that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.contrastive.networks import END, LONGEST_TEXT, NAME, train_tokenizer
from models.contrastive.publish import publish
from models.contrastive.stages import FAST, STAGES, Workshop
from models.contrastive.training import family_losses, to_pixels, train_towers
from models.contrastive.wordings import VALUES, WORDINGS, training_texts, worded
from models.staged_runs import run_stages
from prompt4trust.datasets.phantoms import FAMILIES
from services.common.contrastive.kinds import is_contrastive
from services.common.contrastive.model import ContrastiveModel


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("contrastive"), FAST, 0, lambda _: None)
    run_stages(made, STAGES, list(STAGES))
    return made


def test_every_wording_leaves_room_for_a_context() -> None:
    tokenizer = train_tokenizer(training_texts(0, rounds=20))
    longest = max(len(tokenizer(each.format(option=value))["input_ids"]) for each in WORDINGS for _, value in VALUES)
    assert longest + 16 <= LONGEST_TEXT
    assert tokenizer("Left")["input_ids"] == tokenizer("left")["input_ids"]
    assert tokenizer("left")["input_ids"][-1] == tokenizer.convert_tokens_to_ids(END) != 2


def test_texts_name_every_value() -> None:
    import random

    rng = random.Random(0)
    for text, (_, value) in zip(worded(rng), VALUES, strict=True):
        assert value in text


def test_a_familys_loss_is_cross_entropy_among_its_values() -> None:
    similar = torch.randn(3, len(VALUES), generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0, 1, 2, 3, 4, 0], [1, -100, 0, 0, 0, 0], [2, 3, 1, 1, 1, 1]])
    found, start = family_losses(similar, labels), 0
    for index, values in enumerate(FAMILIES.values()):
        part, start = similar[:, start : start + len(values)], start + len(values)
        kept = labels[:, index] >= 0
        right = part[kept].log_softmax(-1)[range(int(kept.sum())), labels[kept, index]]
        assert found[index].item() == pytest.approx(-right.mean().item(), rel=1e-5)


def test_a_broken_training_ends_where_an_unbroken_one_does(shop: Workshop, tmp_path: Path) -> None:
    class BrokenError(Exception):
        pass

    def breaks(line: str) -> None:
        if line.startswith("step 0"):
            raise BrokenError

    whole = load_file(shop.folder / "towers.safetensors")
    checkpoint = tmp_path / "towers.checkpoint"
    parts = shop.pictures("easy"), shop.pictures("plain")
    settings = FAST.training
    with pytest.raises(BrokenError):
        train_towers(shop.model(trained=False), shop.tokenizer(), *parts, settings, 0, checkpoint, breaks)
    half = type(settings)(easy_steps=2, steps=3, batch=8, keep_every=2)
    train_towers(shop.model(trained=False), shop.tokenizer(), *parts, half, 0, checkpoint, lambda _: None)
    assert checkpoint.is_file()
    model = shop.model(trained=False)
    # The rate's cosine is that of the whole length: the first two steps are warm-up in both.
    train_towers(model, shop.tokenizer(), *parts, settings, 0, checkpoint, lambda _: None)
    for name, value in model.state_dict().items():
        assert torch.equal(value, whole[name]), name


def test_pictures_are_normalised_as_the_artifacts_processor_does(shop: Workshop, tmp_path: Path) -> None:
    publish(shop, tmp_path)
    folder = tmp_path / NAME
    assert is_contrastive(folder)
    model = ContrastiveModel.load(folder)
    pixels = shop.pictures("held").pixels[:2]
    from PIL import Image
    from transformers import AutoImageProcessor

    made = AutoImageProcessor.from_pretrained(folder)(
        images=[Image.fromarray(each).convert("RGB") for each in pixels], return_tensors="pt"
    )
    assert np.allclose(made["pixel_values"], to_pixels(torch.from_numpy(pixels)), atol=1e-5)
    assert model.encode_options(["Left", "something else"]).shape == (2, 96)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["n"] == FAST.exam
    assert 0 <= metrics["accuracy"]["value"] <= 1
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert set(provenance["stages"]) == set(STAGES)
    assert "No clinical use" in (folder / "card.md").read_text(encoding="utf-8")
