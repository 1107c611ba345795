"""The projector: from a picture's features to what the language model reads in the place of tokens."""

from __future__ import annotations

import torch
from torch.nn import functional

from services.common.engine.vision.joined.config import JoinedConfig


class Projector(torch.nn.Module):
    """Two layers between normalisations, the last of which has the size of the language model's embeddings.

    Args:
        config: The model's measures.
    """

    def __init__(self, config: JoinedConfig) -> None:
        super().__init__()
        width = int(config.text_config.hidden_size)
        self.before = torch.nn.LayerNorm(config.feature_width)
        self.up = torch.nn.Linear(config.feature_width, width)
        self.across = torch.nn.Linear(width, width)
        self.after = torch.nn.LayerNorm(width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Project [..., feature width] to [..., width of the language model]."""
        inner = functional.gelu(self.up(self.before(features)))
        projected: torch.Tensor = self.after(self.across(inner))
        return projected

    @torch.no_grad()
    def begin(self, embeddings: torch.Tensor, generator: torch.Generator) -> None:
        """Fill in untrained weights.

        Args:
            embeddings: The language model's, [vocabulary, width]; what comes out is as large as these are.
            generator: Draws the weights.
        """
        for layer in (self.up, self.across):
            drawn = torch.randn(layer.weight.shape, generator=generator) / layer.in_features**0.5
            layer.weight.copy_(drawn)
            layer.bias.zero_()
        for norm, size in ((self.before, 1.0), (self.after, float(embeddings.float().pow(2).mean().sqrt()))):
            norm.weight.fill_(size)
            norm.bias.zero_()


def pooled(maps: torch.Tensor, side: int) -> torch.Tensor:
    """Pool feature maps into a picture's tokens, by mean and by maximum.

    Args:
        maps: [pictures, channels, height, width], both multiples of side.
        side: Tokens along each side.

    Returns:
        [pictures, side * side, 2 * channels], row by row; the means come first.
    """
    parts = (functional.adaptive_avg_pool2d(maps, side), functional.adaptive_max_pool2d(maps, side))
    return torch.cat(parts, dim=1).flatten(2).transpose(1, 2).contiguous()
