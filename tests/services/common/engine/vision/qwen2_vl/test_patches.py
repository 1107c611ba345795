"""The engine's patches against those of transformers' image processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor

from services.common.engine.errors import EngineError
from services.common.engine.vision.qwen2_vl.patches import Patcher


@pytest.mark.parametrize("settings", [{}, {"do_normalize": False}, {"do_rescale": False}, {"patch_size": 7}])
def test_patches_are_the_librarys_bit_for_bit(vision_model: Path, settings: dict[str, Any]) -> None:
    processor: Any = AutoImageProcessor.from_pretrained(vision_model, **settings)
    patcher = Patcher(processor)
    random = np.random.default_rng(5)
    sizes = [(56, 56), (84, 56), (57, 83), (30, 400), (300, 41), (28, 28), (640, 480)]
    pictures = [Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]
    expected = processor(images=pictures, return_tensors="pt")
    found = patcher(pictures)
    assert torch.equal(found.grid, expected["image_grid_thw"])
    # The library repeats a picture to make a film of it.
    frames = expected["pixel_values"].unflatten(1, (3, 2, -1))
    for frame in range(2):
        assert torch.equal(found.values, frames[:, :, frame].flatten(1))


def test_a_processor_that_does_not_resize_is_refused(vision_model: Path) -> None:
    with pytest.raises(EngineError, match="resizes"):
        Patcher(AutoImageProcessor.from_pretrained(vision_model, do_resize=False))
