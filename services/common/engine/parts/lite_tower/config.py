"""Configuration of an EfficientNet-Lite, as transformers reads and writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedConfig

LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""EfficientNet-Lite0's stages: blocks, kernel, stride of the first block, expansion, channels."""


class LiteTowerConfig(PreTrainedConfig):
    """An EfficientNet-Lite up to its last feature map.

    Args:
        stem: Channels of the first convolution.
        stages: Of each stage: blocks, kernel, stride of the first block, expansion, channels.
        head: Channels of the feature map.
        others: What every configuration has.

    Example:
        >>> LiteTowerConfig().stride
        32
    """

    model_type = "trustvqa_lite_tower"

    def __init__(
        self, stem: int = 32, stages: Sequence[Sequence[int]] = LITE0_STAGES, head: int = 1280, **others: Any
    ) -> None:
        self.stem = stem
        self.stages = [list(stage) for stage in stages]
        self.head = head
        super().__init__(**others)

    @property
    def stride(self) -> int:
        """Pixels of a picture's side that come to one place of the feature map."""
        found = 2
        for _, _, stride, _, _ in self.stages:
            found *= stride
        return found
