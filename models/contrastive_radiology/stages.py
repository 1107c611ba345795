"""Stages of the training: features of the pictures, the gate by cross-validation, and the projection."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from models.contrastive_radiology.gate import judge
from models.contrastive_radiology.labels import Labelled, read_labelled
from models.contrastive_radiology.projection import (
    Rows,
    Settings,
    Texts,
    cosines,
    cross_validated,
    fit_scale,
    train_projection,
)
from models.radiology.data.views import augmented
from models.staged_runs import OtherPlanError
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.part_towers import PartTowers, PartTowersConfig, assembled
from services.common.contrastive.wording import Wording
from services.common.engine.parts.named_part import EFFICIENTNET_LITE0, MINILM_L6, NamedPart
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.pictures import SquarePreparation

VIEWS_SEED = 1
_TRAINED_ON = ("train",)
_CROSS_VALIDATED = ("train", "validation")


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes.

    Attributes:
        augmented: Further views of each picture that teaches.
        settings: How the projection is trained.
    """

    augmented: int = 8
    settings: Settings = field(default_factory=Settings)


FULL = Plan()
FAST = Plan(1, Settings(steps=3, folds=2))


@dataclass(frozen=True)
class Workshop:
    """A run's data, folder, parts, plan and seed.

    Attributes:
        data: A folder of VQA-RAD: questions.jsonl and images/.
        work: Results of finished stages; features, which no seed changes, lie beside the seeds' folders.
        parts: Where the frozen parts lie.
        plan: Sizes.
        seed: Of everything random in training.
        log: Takes lines of progress.
        vision, text: The frozen parts.
        image_size: Pixels of a side of the square that pictures are resized to.
    """

    data: Path
    work: Path
    parts: PartStore
    plan: Plan
    seed: int
    log: Callable[[str], None]
    vision: NamedPart = EFFICIENTNET_LITE0
    text: NamedPart = MINILM_L6
    image_size: int = 384

    @property
    def folder(self) -> Path:
        """The seed's folder."""
        return self.work / f"seed{self.seed}"

    @cached_property
    def labelled(self) -> list[Labelled]:
        """All pictures with what is known of them."""
        return read_labelled(self.data)

    @cached_property
    def features(self) -> Mapping[str, Tensor]:
        """Picture -> features of its views, float32 [views, width], the clean one first.

        Raises:
            OtherPlanError: If the file is of other views, sizes or parts than this run's, or does not say of which.
        """
        file = self.work / "features.safetensors"
        with safe_open(file, framework="pt") as opened:
            made = (opened.metadata() or {}).get("made")
        if made != self.features_made:
            raise OtherPlanError(f"{file} was made by another plan: name another --work")
        return load_file(file)

    @property
    def features_made(self) -> str:
        """Views, sizes and parts that features depend on, as JSON: kept in their file."""
        parts = {"vision": asdict(self.vision)}
        return json.dumps(
            {"augmented": self.plan.augmented, "views_seed": VIEWS_SEED, "image_size": self.image_size, **parts},
            sort_keys=True,
        )

    @cached_property
    def texts(self) -> Texts:
        """Vectors of the classes' texts."""
        return Texts.encode(ContrastiveModel(self.untrained(), self.tokenizer, None, Wording()).encode_options)

    @cached_property
    def tokenizer(self) -> Any:
        """The text encoder's."""
        untyped: Any = AutoTokenizer
        return untyped.from_pretrained(self.parts.directory(self.text), local_files_only=True)

    def config(self) -> PartTowersConfig:
        """Describe the model by its parts."""
        text, vision = (_described(self.parts.directory(part)) for part in (self.text, self.vision))
        named = {"vision": self.vision.written(), "text": self.text.written()}
        return PartTowersConfig(text, vision, self.image_size, named)

    def untrained(self) -> PartTowers:
        """Put the model together, its projection random."""
        torch.manual_seed(self.seed)
        return assembled(self.config(), self.parts)

    def model(self) -> PartTowers:
        """Put the model together with the projection that the stage `projection` left."""
        model = self.untrained()
        tensors = load_file(self.folder / "projection.safetensors")
        model.projection.load_state_dict({name: each for name, each in tensors.items() if name != "logit_scale"})
        model.logit_scale.data = tensors["logit_scale"]
        return model.eval()

    def rows(self, *splits: str, views: int = 1) -> Rows:
        """Gather the pictures of some splits."""
        return Rows.of([each for each in self.labelled if each.split in splits], self.features, views)


def features_stage(shop: Workshop) -> dict[str, Any]:
    """Compute the features of all pictures, and of augmented views of those that teach."""
    file, found = shop.work / "features.safetensors", {}
    if not file.is_file():
        model = shop.untrained().eval()
        prepare = replace(SquarePreparation(), side=shop.image_size)
        for number, each in enumerate(shop.labelled):
            with Image.open(shop.data / "images" / each.picture) as opened:
                own = opened.convert("RGB")
            rng = random.Random(f"{VIEWS_SEED} {each.picture}")
            teaches = each.split in _CROSS_VALIDATED
            views = [own, *(augmented(own, rng) for _ in range(shop.plan.augmented if teaches else 0))]
            with torch.no_grad():
                found[each.picture] = model.features(prepare.normalised(prepare.squares(views))).contiguous()
            if number % 40 == 0:
                shop.log(f"features of picture {number} of {len(shop.labelled)}")
        shop.work.mkdir(parents=True, exist_ok=True)
        save_file(found, new := file.with_suffix(".new"), metadata={"made": shop.features_made})
        new.rename(file)
    return {"pictures": len(shop.features)}


def gate_stage(shop: Workshop) -> dict[str, Any]:
    """Cross-validate on the pictures of train and validation: test and calibration decide nothing."""
    rows = shop.rows(*_CROSS_VALIDATED, views=1 + shop.plan.augmented)
    return judge(cross_validated(rows, shop.texts, shop.plan.settings, shop.seed))


def projection_stage(shop: Workshop) -> dict[str, Any]:
    """Train the projection on the training split, and fit the cosines' factor to the calibration split."""
    projection, trained = train_projection(
        shop.rows(*_TRAINED_ON, views=1 + shop.plan.augmented), shop.texts, shop.plan.settings, shop.seed
    )
    fitted = fit_scale(cosines(projection, shop.rows("calibration"), shop.texts))
    tensors = {**projection.state_dict(), "logit_scale": torch.tensor(fitted)}
    save_file({name: each.contiguous() for name, each in tensors.items()}, shop.folder / "projection.safetensors")
    known = {task: int((labels >= 0).sum()) for task, labels in shop.rows(*_TRAINED_ON).labels.items()}
    return {"pictures_that_taught": known, "log_scale_trained": round(trained, 3), "log_scale_fitted": round(fitted, 3)}


STAGES: dict[str, Callable[[Workshop], dict[str, Any]]] = {
    "features": features_stage,
    "gate": gate_stage,
    "projection": projection_stage,
}


def _described(directory: Path) -> dict[str, Any]:
    config, _ = PartTowersConfig.get_config_dict(directory, local_files_only=True)
    return dict(config)
