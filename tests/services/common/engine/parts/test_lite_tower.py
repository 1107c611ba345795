"""The picture network against the package that its weights come from."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from services.common.engine.parts.lite_tower.config import LiteTowerConfig
from services.common.engine.parts.lite_tower.tower import LiteTower, folded

efficientnet = pytest.importorskip("efficientnet_lite_pytorch", reason="the package is not installed")


@pytest.mark.parametrize("side", [96, 224])
def test_it_computes_what_the_package_computes(side: int) -> None:
    torch.manual_seed(0)
    theirs: Any = efficientnet.EfficientNet.from_name("efficientnet-lite0")
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # fresh ones do nothing, and hide how they are folded
            statistics: Any = module
            for values in (statistics.weight, statistics.running_var):
                values.data.uniform_(0.5, 1.5)
            for values in (statistics.bias, statistics.running_mean):
                values.data.normal_(0, 0.2)
    theirs.eval()
    config = LiteTowerConfig()
    ours = LiteTower(config)
    ours.load_state_dict(folded(theirs.state_dict(), config))
    pictures = torch.randn(2, 3, side, side)
    with torch.no_grad():
        expected, found = theirs.extract_features(pictures), ours(pictures)
    assert found.shape == (2, 1280, side // config.stride, side // config.stride)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-3)
    assert expected.std() > 0.01
