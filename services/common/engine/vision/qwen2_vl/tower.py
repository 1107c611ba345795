"""The vision tower of the Qwen2-VL family, for many pictures at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedModel
from transformers.vision_utils import get_vision_position_ids

from services.common.engine.vision.qwen2_vl.patches import Patches

ATTENTION = "trustvqa_pictures"


class StillEmbedding(torch.nn.Module):
    """Patch embedding of pictures: the tower's convolution over film, whose frames are here all the same.

    The convolution's stride is its kernel's size, which makes it a matrix product (several times as fast on a CPU), and
    equal frames let the kernel's frames be added up beforehand (half as much to multiply, and half as many pixels).

    Args:
        convolution: The tower's.
    """

    def __init__(self, convolution: torch.nn.Conv3d) -> None:
        super().__init__()
        still = convolution.weight.detach().sum(dim=2).flatten(1)
        self.weight = torch.nn.Parameter(still, requires_grad=False)
        self.bias = convolution.bias

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Embed [patches, channels * height * width] as [patches, width of the tower]."""
        return torch.nn.functional.linear(patches.to(self.weight.dtype), self.weight, self.bias)


def picture_attention(
    module: torch.nn.Module,  # noqa: ARG001 - the signature is the library's
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001
    scaling: float | None = None,
    pictures: int = 1,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend within each of several pictures of one size.

    Args:
        module: The attention layer.
        query: The pictures' patches one after another, [1, heads, patches, width].
        key: Like the query.
        value: Like the query.
        attention_mask: None.
        scaling: Factor on the scores; by default 1 / sqrt(width).
        pictures: How many there are.

    Returns:
        [1, patches, heads, width], and None for the weights that are not kept.
    """
    query, key, value = (part[0].unflatten(1, (pictures, -1)).transpose(0, 1) for part in (query, key, value))
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=scaling)
    return mixed.transpose(1, 2).flatten(0, 1)[None], None


def register_picture_attention() -> str:
    """Make `picture_attention` known to transformers and return its name; doing so again changes nothing."""
    AttentionInterface.register(ATTENTION, picture_attention)
    return ATTENTION


class Tower:
    """A model's vision tower, from patches to what takes the image tokens' place.

    Args:
        model: The vision-language model, loaded with `register_picture_attention()`'s attention for its tower.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model: Any = model
        self._merge: int = model.config.vision_config.spatial_merge_size
        # Qwen2.5-VL's tower looks through windows besides, which the library arranges.
        self._whole = model.config.model_type == "qwen2_vl"
        visual = self._model.model.visual
        visual.patch_embed = StillEmbedding(visual.patch_embed.proj)

    def __call__(self, seen: Sequence[Patches]) -> torch.Tensor:
        """Look at pictures.

        Args:
            seen: One or more requests' pictures.

        Returns:
            Features of all merged patches, [merged patches, width of the language model].
        """
        device = self._model.device
        values = torch.cat([pixels.values for pixels in seen]).to(device)
        grid = torch.cat([pixels.grid for pixels in seen])
        known: dict[str, Any] = {}
        if self._whole and bool((grid == grid[0]).all()):
            # Left to itself, the library cuts the batch up and attends within one picture at a time.
            places = get_vision_position_ids(grid[:1], self._merge).repeat(len(grid), 1)
            known = {
                "pictures": len(grid),
                "image_cu_seqlens": torch.tensor([0, len(values)], device=device),
                "image_position_ids": places.to(device),
            }
        features: torch.Tensor = torch.cat(
            self._model.get_image_features(values, grid.to(device), **known).pooler_output
        )
        return features
