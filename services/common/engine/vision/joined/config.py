"""Configurations of joined models, as transformers reads and writes them."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

from services.common.engine.parts.lite_tower.config import LiteTowerConfig

MODEL_TYPE = "trustvqa_joined"


class JoinedConfig(PreTrainedConfig):
    """A picture network and a language model, joined by a projector.

    Args:
        text_config: Of the language model.
        vision_config: Of the picture network.
        image_token_id: Token of the language model whose place a picture's features take.
        image_size: Pixels of a side of the square that every picture is resized to.
        picture_side: A picture becomes picture_side x picture_side tokens.
        parts: References to the parts, `language` and `vision`.
        others: What every configuration has.
    """

    model_type = MODEL_TYPE
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig, "vision_config": LiteTowerConfig}

    def __init__(
        self,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        vision_config: LiteTowerConfig | dict[str, Any] | None = None,
        image_token_id: int = 16,
        image_size: int = 384,
        picture_side: int = 4,
        parts: dict[str, dict[str, str]] | None = None,
        **others: Any,
    ) -> None:
        if text_config is None or isinstance(text_config, dict):
            given = dict(text_config or {})
            text_config = CONFIG_MAPPING[given.pop("model_type", "llama")](**given)
        if vision_config is None or isinstance(vision_config, dict):
            vision_config = LiteTowerConfig(**(vision_config or {}))
        self.text_config = text_config
        self.vision_config = vision_config
        self.image_token_id = image_token_id
        self.image_size = image_size
        self.picture_side = picture_side
        self.parts = parts or {}
        if image_size % (vision_config.stride * picture_side):
            raise ValueError("image_size must be a multiple of the tower's stride times picture_side")
        others.setdefault("tie_word_embeddings", bool(text_config.tie_word_embeddings))
        super().__init__(**others)

    @property
    def feature_width(self) -> int:
        """Numbers of each of a picture's tokens ahead of the projector: mean and maximum of every channel."""
        return 2 * int(self.vision_config.head)

    @property
    def picture_tokens(self) -> int:
        """Tokens that a picture takes."""
        return int(self.picture_side) ** 2


def register_configs() -> None:
    """Make transformers' AutoConfig know both; doing so again changes nothing."""
    for each in (LiteTowerConfig, JoinedConfig):
        AutoConfig.register(each.model_type, each, exist_ok=True)
