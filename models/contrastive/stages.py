"""The recipe's stages, each leaving its result in the work folder so that a broken run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, CLIPModel, PreTrainedTokenizerFast

from models.contrastive.networks import new_model, train_tokenizer
from models.contrastive.training import ContrastiveSettings, train_towers, zero_shot_accuracy
from models.contrastive.wordings import PROMPT, training_texts
from models.recipe.data.pictures import Pictures, draw_pictures

# Places in the train split's stream of pictures.
_PIECE = 1000
_PICTURES_FROM, _EASY_FROM, _HELD_FROM = 600_000, 700_000, 800_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Amounts of data and lengths.

    Attributes:
        easy_pictures, pictures: The training's, plain ones and such as they come.
        held_pictures: Those that the finished towers are measured with.
        training: Length and step size.
        exam: Questions of the final measurements.
    """

    easy_pictures: int = 3_000
    pictures: int = 6_000
    held_pictures: int = 500
    training: ContrastiveSettings = field(default_factory=ContrastiveSettings)
    exam: int = 2_000


FULL = Plan()
FAST = Plan(16, 16, 8, ContrastiveSettings(easy_steps=2, steps=4, batch=8, keep_every=2), exam=4)


@dataclass(frozen=True, slots=True)
class Workshop:
    """A run's folder, plan and seed.

    Attributes:
        folder: Results of finished stages.
        plan: Sizes.
        seed: Of everything random.
        log: Takes lines of progress.
    """

    folder: Path
    plan: Plan
    seed: int
    log: Callable[[str], None]

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Load the trained tokenizer."""
        loader: Any = AutoTokenizer
        loaded: PreTrainedTokenizerFast = loader.from_pretrained(self.folder / "tokenizer")
        return loaded

    def model(self, *, trained: bool) -> CLIPModel:
        """Make the model, with the weights that the stage `towers` left if it is to be trained."""
        model = new_model(self.tokenizer(), self.seed)
        if trained:
            model.load_state_dict(load_file(self.folder / "towers.safetensors"))
        return model.eval() if trained else model

    def pictures(self, part: str) -> Pictures:
        """Load pictures that the stage `pictures` drew."""
        pieces = []
        for file in sorted(self.folder.glob(f"{part}-*.npz")):
            with np.load(file) as found:
                pieces.append((found["pixels"], found["labels"], found["cells"]))
        pixels, labels, cells = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return Pictures(pixels, labels, cells)


def tokenizer_stage(shop: Workshop) -> dict[str, Any]:
    """Train the tokenizer."""
    tokenizer = train_tokenizer(training_texts(shop.seed))
    tokenizer.save_pretrained(shop.folder / "tokenizer")
    return {"vocabulary": len(tokenizer)}


def pictures_stage(shop: Workshop) -> dict[str, Any]:
    """Draw the pictures, all of the train split."""
    plan = shop.plan
    for part, n, start in (
        ("easy", plan.easy_pictures, _EASY_FROM),
        ("plain", plan.pictures, _PICTURES_FROM),
        ("held", plan.held_pictures, _HELD_FROM),
    ):
        for at in range(0, n, _PIECE):
            file = shop.folder / f"{part}-{at:06d}.npz"
            if not file.is_file():  # a broken run keeps what it drew
                drawn = draw_pictures(min(_PIECE, n - at), shop.seed, start + at, easy=part == "easy", processes=1)
                np.savez(new := file.with_name("new.npz"), pixels=drawn.pixels, labels=drawn.labels, cells=drawn.cells)
                new.rename(file)
    return {"easy": plan.easy_pictures, "plain": plan.pictures}


def towers_stage(shop: Workshop) -> dict[str, Any]:
    """Train both towers."""
    model, tokenizer = shop.model(trained=False), shop.tokenizer()
    checkpoint = shop.folder / "towers.checkpoint"
    parts = shop.pictures("easy"), shop.pictures("plain")
    train_towers(model, tokenizer, *parts, shop.plan.training, shop.seed, checkpoint, shop.log)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, shop.folder / "towers.safetensors"
    )
    checkpoint.unlink(missing_ok=True)
    return {"zero_shot_accuracy": zero_shot_accuracy(model, tokenizer, shop.pictures("held"), PROMPT)}


STAGES: dict[str, Callable[[Workshop], dict[str, Any]]] = {
    "tokenizer": tokenizer_stage,
    "pictures": pictures_stage,
    "towers": towers_stage,
}
