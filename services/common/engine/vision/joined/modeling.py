"""The joined model as transformers knows models: `JoinedForConditionalGeneration`."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from services.common.engine.parts.lite_tower.tower import LiteTower
from services.common.engine.vision.joined.config import JoinedConfig, register_configs
from services.common.engine.vision.joined.projector import Projector, pooled


class JoinedForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """A language model that reads pictures through a projector.

    Args:
        config: Its measures. The weights are random; `loading.load_joined` fills them from parts and a directory.

    Example:
        The loss of a reply about pictures whose features were computed before::

            output = model(input_ids=tokens, picture_features=features, labels=labels)
            output.loss.backward()
    """

    config_class = JoinedConfig
    base_model_prefix = ""
    _supports_sdpa = True
    _supports_attention_backend = True
    _can_compile_fullgraph = False

    def __init__(self, config: JoinedConfig) -> None:
        super().__init__(config)
        self.tower = LiteTower(config.vision_config)
        self.projector = Projector(config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Leave weights as their modules made them."""

    def get_input_embeddings(self) -> torch.nn.Module:
        """Return the language model's token embeddings."""
        found: torch.nn.Module = self.language_model.get_input_embeddings()
        return found

    def get_output_embeddings(self) -> torch.nn.Module:
        """Return the language model's head."""
        found: torch.nn.Module = self.language_model.get_output_embeddings()
        return found

    def get_decoder(self, *_: Any, **__: Any) -> Any:
        """Return the language model's decoder."""
        return self.language_model.get_decoder()

    @torch.no_grad()
    def picture_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Look at pictures with the frozen network.

        Args:
            pixel_values: float32 [pictures, 3, image_size, image_size], normalised.

        Returns:
            float32 [pictures, picture tokens, feature width]; the same for a picture ever after, so worth keeping.
        """
        maps = self.tower(pixel_values.to(self.tower.stem.weight.dtype))
        return pooled(maps, self.config.picture_side).float()

    def placed(self, embeddings: torch.Tensor, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Put projected features in the place of picture tokens.

        Args:
            embeddings: Of the tokens, [prompts, length, width].
            tokens: int64 [prompts, length], each picture's token repeated as often as it has features.
            features: Of all prompts' pictures in order, [pictures, picture tokens, feature width].

        Returns:
            Like the embeddings.

        Raises:
            ValueError: If there are more or fewer picture tokens than features.
        """
        mask = tokens == self.config.image_token_id
        if int(mask.sum()) != features.shape[0] * features.shape[1]:
            raise ValueError("there are more or fewer places for pictures than pictures")
        projected = self.projector(features.to(self.projector.up.weight.dtype)).to(embeddings.dtype)
        return embeddings.masked_scatter(mask[..., None], projected)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        picture_features: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **others: Any,
    ) -> CausalLMOutputWithPast:
        """Read tokens.

        Args:
            input_ids: int64 [prompts, length]; with pictures, their tokens repeated (`tokens.with_places`).
            pixel_values: Pictures, see `picture_features`; or
            picture_features: what that gave for them.
            inputs_embeds: In place of input_ids, with pictures already in them.
            others: What the language model takes: labels, attention_mask, past_key_values, logits_to_keep, ...

        Returns:
            The language model's output.

        Raises:
            ValueError: If pictures come without tokens, or do not fit their places.
        """
        if pixel_values is not None and picture_features is None:
            picture_features = self.picture_features(pixel_values)
        if picture_features is not None:
            if input_ids is None:
                raise ValueError("pictures need input_ids, which say where they belong")
            inputs_embeds = self.placed(self.get_input_embeddings()(input_ids), input_ids, picture_features)
        ids = None if inputs_embeds is not None else input_ids
        output: CausalLMOutputWithPast = self.language_model(input_ids=ids, inputs_embeds=inputs_embeds, **others)
        return output

    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, *rest: Any, **kwargs: Any) -> dict[str, Any]:
        """Hand pictures on for the first pass only: later ones read a new token each."""
        usual: Any = super()
        prepared: dict[str, Any] = usual.prepare_inputs_for_generation(input_ids, *rest, **kwargs)
        if not kwargs.get("is_first_iteration", True):
            prepared.pop("pixel_values", None)
            prepared.pop("picture_features", None)
        return prepared


def register_joined() -> None:
    """Make transformers' Auto classes know joined models; doing so again changes nothing."""
    register_configs()
    AutoModelForImageTextToText.register(JoinedConfig, JoinedForConditionalGeneration, exist_ok=True)
