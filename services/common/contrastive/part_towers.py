"""Contrastive models of pretrained parts: a picture network and a text encoder that stay as they are, and a projection.

The projection carries what the picture network sees into the text encoder's space; it alone is trained and shipped.
Parts come from packages, are named in config.json, and count only if their digests fit (see PartStore).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoConfig, BertConfig, BertModel, PreTrainedConfig

from services.common.contrastive.kinds import PART_TOWERS
from services.common.engine.errors import EngineError
from services.common.engine.parts.lite_tower.config import LiteTowerConfig
from services.common.engine.parts.lite_tower.tower import LiteTower
from services.common.engine.parts.named_part import parts_of
from services.common.engine.parts.store import PartStore

WEIGHTS = "model.safetensors"
PLACES = ("vision", "text")


class PartTowersConfig(PreTrainedConfig):
    """Measures of a contrastive model of parts.

    Args:
        text_config: Of the text encoder, a BERT.
        vision_config: Of the picture network.
        image_size: Pixels of a side of the square that every picture is resized to; a multiple of the network's stride.
        parts: References to the parts, `vision` and `text`.
        others: What every configuration has.

    Example:
        >>> PartTowersConfig({"hidden_size": 384}).feature_width
        2560
    """

    model_type = PART_TOWERS
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": BertConfig, "vision_config": LiteTowerConfig}

    def __init__(
        self,
        text_config: BertConfig | dict[str, Any] | None = None,
        vision_config: LiteTowerConfig | dict[str, Any] | None = None,
        image_size: int = 384,
        parts: dict[str, dict[str, str]] | None = None,
        **others: Any,
    ) -> None:
        self.text_config = BertConfig(**(text_config or {})) if not isinstance(text_config, BertConfig) else text_config
        if not isinstance(vision_config, LiteTowerConfig):
            vision_config = LiteTowerConfig(**(vision_config or {}))
        self.vision_config = vision_config
        self.image_size = image_size
        self.parts = parts or {}
        if image_size % vision_config.stride:
            raise ValueError("image_size must be a multiple of the picture network's stride")
        super().__init__(**others)

    @property
    def feature_width(self) -> int:
        """Numbers of a picture ahead of the projection: mean and maximum of every channel."""
        return 2 * int(self.vision_config.head)


class Encoded(NamedTuple):
    """A tower's vectors, by the name that transformers' models have for them."""

    pooler_output: Tensor


class PictureProjection(torch.nn.Module):
    """A picture's features to the texts' space: normalised, then one linear map.

    Args:
        width: Of the features.
        out: Of the texts' vectors.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.out = torch.nn.Linear(width, out)

    def forward(self, features: Tensor) -> Tensor:
        """Project [pictures, width] to [pictures, out]."""
        projected: Tensor = self.out(self.norm(features))
        return projected


class PartTowers(torch.nn.Module):
    """Two frozen towers and the projection between them, with the methods that transformers' contrastive models have.

    Args:
        config: Its measures.
    """

    def __init__(self, config: PartTowersConfig) -> None:
        super().__init__()
        self.config = config
        self.tower = LiteTower(config.vision_config)
        self.text_model = BertModel(config.text_config, add_pooling_layer=False)
        self.projection = PictureProjection(config.feature_width, int(config.text_config.hidden_size))
        self.logit_scale = torch.nn.Parameter(torch.tensor(3.0))

    def features(self, pixel_values: Tensor) -> Tensor:
        """Look at pictures, float32 [pictures, 3, side, side] normalised: mean and maximum of the channels' maps.

        Returns:
            [pictures, feature width].
        """
        maps = self.tower(pixel_values)
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=-1)

    def get_image_features(self, pixel_values: Tensor) -> Encoded:
        """Encode pictures, not yet of unit length, as [pictures, width of the texts' vectors]."""
        return Encoded(self.projection(self.features(pixel_values)))

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """Encode texts, not yet of unit length: the mean over their tokens, as the part's authors do."""
        states = self.text_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        counted = attention_mask[..., None].to(states)
        return Encoded(functional.normalize((states * counted).sum(dim=1) / counted.sum(dim=1), dim=-1))


def assembled(config: PartTowersConfig, parts: PartStore) -> PartTowers:
    """Put a model together of its parts, in float32; the projection has yet to be filled.

    Args:
        config: Its measures and parts.
        parts: Where the parts lie, or are put after they were made ready.

    Raises:
        EngineError: If the configuration names other parts, or they do not fit it.
    """
    named = parts_of({"parts": config.parts})
    if set(named) != set(PLACES):
        raise EngineError(f"the config.json of such a model names two parts, {' and '.join(PLACES)}")
    model = PartTowers(config)
    for place, tower in (("vision", model.tower), ("text", model.text_model)):
        part = named[place]
        try:
            tower.load_state_dict(load_file(parts.directory(part) / WEIGHTS))
        except RuntimeError as error:
            raise EngineError(f"{part.name} does not fit the model that config.json describes") from error
    return model


def load_part_towers(directory: Path, parts: PartStore | None) -> PartTowers:
    """Load a model for serving.

    Args:
        directory: Holds config.json and the projection's model.safetensors.
        parts: Where the parts lie; None where nowhere is named.

    Returns:
        The model, in float32.

    Raises:
        EngineError: If a part or a file is missing, or does not fit.
    """
    if parts is None:
        raise EngineError(f"{directory.name} is made of parts, and no directory for parts is named")
    AutoConfig.register(PART_TOWERS, PartTowersConfig, exist_ok=True)  # asked for the tokenizer's and processor's sake
    model = assembled(PartTowersConfig.from_pretrained(directory, local_files_only=True), parts)
    tensors = load_file(directory / WEIGHTS)
    missing, unknown = model.load_state_dict({name: each.float() for name, each in tensors.items()}, strict=False)
    left = [name for name in missing if not name.startswith(("tower.", "text_model."))]
    strange = [name for name in tensors if name.startswith(("tower.", "text_model."))]
    if left or unknown or strange:
        raise EngineError(f"{WEIGHTS} does not fit the model: {', '.join([*left, *unknown, *strange][:3])}")
    return model


def trained_tensors(model: PartTowers) -> dict[str, Tensor]:
    """List what is trained and shipped: the projection and the scale."""
    state = model.state_dict()
    return {name: each.contiguous() for name, each in state.items() if not name.startswith(("tower.", "text_model."))}
