"""The picture network: an EfficientNet-Lite up to its last feature map, with batch normalisation folded in.

Written here because the package of that name is not maintained, pulls its own normalisation layers through every pass
and prints while it runs; transformers' EfficientNet has squeeze-and-excitation, which the Lite variants leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch.nn import functional

from services.common.engine.parts.lite_tower.config import LiteTowerConfig

_EPSILON = 1e-3  # of the batch normalisations that the weights were trained with


class PaddedConvolution(torch.nn.Conv2d):
    """A convolution that pads as TensorFlow does, with the odd pixel on the right and below.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Side of the kernel.
        stride: Stride.
        groups: 1, or the number of channels for a depthwise one.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        even = stride == 1
        super().__init__(
            channels_in, channels_out, kernel, stride, padding=kernel // 2 if even else 0, groups=groups, bias=True
        )
        self._even = even

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Convolve [batch, channels, height, width]."""
        if not self._even:
            below, right = (self._missing(side) for side in maps.shape[-2:])
            maps = functional.pad(maps, (right // 2, right - right // 2, below // 2, below - below // 2))
        return super().forward(maps)

    def _missing(self, side: int) -> int:
        stride, kernel = self.stride[0], self.kernel_size[0]
        return max((-(-side // stride) - 1) * stride + kernel - side, 0)


class LiteBlock(torch.nn.Module):
    """An inverted residual block: expand, convolve each channel, project.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Side of the depthwise kernel.
        stride: Its stride.
        expansion: Factor on the channels inside.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = channels_in * expansion
        self.expand = PaddedConvolution(channels_in, inside, 1) if expansion != 1 else None
        self.depthwise = PaddedConvolution(inside, inside, kernel, stride, groups=inside)
        self.project = PaddedConvolution(inside, channels_out, 1)
        self._skips = stride == 1 and channels_in == channels_out

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Transform [batch, channels, height, width]."""
        inner = maps if self.expand is None else functional.relu6(self.expand(maps))
        inner = self.project(functional.relu6(self.depthwise(inner)))
        left: torch.Tensor = inner + maps if self._skips else inner
        return left


class LiteTower(torch.nn.Module):
    """Pictures to feature maps.

    Args:
        config: The network's measures.
    """

    def __init__(self, config: LiteTowerConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = PaddedConvolution(3, config.stem, 3, 2)
        self.blocks = torch.nn.ModuleList(LiteBlock(*each) for each in _blocks(config))
        self.head = PaddedConvolution(config.stages[-1][-1], config.head, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Look at pictures.

        Args:
            pictures: float32 [pictures, 3, side, side], normalised; a side is a multiple of the tower's stride.

        Returns:
            [pictures, head channels, side / stride, side / stride].
        """
        maps = functional.relu6(self.stem(pictures))
        for block in self.blocks:
            maps = block(maps)
        features: torch.Tensor = functional.relu6(self.head(maps))
        return features


def _blocks(config: LiteTowerConfig) -> Iterator[tuple[int, int, int, int, int]]:
    channels = config.stem
    for repeats, kernel, stride, expansion, out in config.stages:
        for number in range(repeats):
            yield channels, out, kernel, stride if number == 0 else 1, expansion
            channels = out


def folded(weights: Mapping[str, torch.Tensor], config: LiteTowerConfig) -> dict[str, torch.Tensor]:
    """Fold the batch normalisations of an EfficientNet-Lite's weights into its convolutions.

    Args:
        weights: As `efficientnet_lite_pytorch` names them; those of the classifier are left out.
        config: The network's measures.

    Returns:
        The tensors of a `LiteTower`, float32.

    Raises:
        KeyError: If a tensor is missing.
    """
    tensors: dict[str, torch.Tensor] = {}

    def fold(name: str, convolution: str, normalisation: str) -> None:
        scale = weights[f"{normalisation}.weight"].double()
        scale = scale / torch.sqrt(weights[f"{normalisation}.running_var"].double() + _EPSILON)
        shift = weights[f"{normalisation}.bias"].double() - scale * weights[f"{normalisation}.running_mean"].double()
        kernel = weights[f"{convolution}.weight"].double() * scale[:, None, None, None]
        tensors[f"{name}.weight"] = kernel.float().contiguous()
        tensors[f"{name}.bias"] = shift.float().contiguous()

    fold("stem", "_conv_stem", "_bn0")
    for number, (_, _, _, _, expansion) in enumerate(_blocks(config)):
        block, theirs = f"blocks.{number}", f"_blocks.{number}"
        if expansion != 1:
            fold(f"{block}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"{block}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fold(f"{block}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
    fold("head", "_conv_head", "_bn1")
    return tensors
