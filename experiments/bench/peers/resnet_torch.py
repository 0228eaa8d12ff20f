"""The small pre-activation ResNet of `adl.nn.resnet` in PyTorch, as users write it: group normalisation, Adam."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Conv(nn.Conv2d):
    """Without a bias, of odd kernels and "SAME" padding: of stride 2 nothing is added before even pictures."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1, bias: bool = False):
        super().__init__(in_channels, out_channels, size, stride, padding=0 if stride > 1 else size // 2, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, D, H / stride, W / stride]` from `[B, C, H, W]`."""
        if self.stride[0] > 1 and self.kernel_size[0] > 1:
            x = F.pad(x, (0, 1, 0, 1))
        return super().forward(x)

    @torch.no_grad()
    def load(self, ours: Mapping[str, Any]) -> None:
        """Takes the weights of `adl.nn.convolution.Conv`."""
        self.weight.copy_(torch.tensor(np.asarray(ours["kernel"])).permute(3, 2, 0, 1))
        if self.bias is not None:
            self.bias.copy_(torch.tensor(np.asarray(ours["bias"])))


class Norm(nn.GroupNorm):
    """Of eight groups."""

    def __init__(self, channels: int):
        super().__init__(8, channels, eps=1e-6)

    @torch.no_grad()
    def load(self, ours: Mapping[str, Any]) -> None:
        """Takes the weights of flax's."""
        self.weight.copy_(torch.tensor(np.asarray(ours["scale"])))
        self.bias.copy_(torch.tensor(np.asarray(ours["bias"])))


class Block(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x))))))."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.norm_1, self.norm_2 = Norm(in_channels), Norm(channels)
        changes = stride > 1 or in_channels != channels
        self.skip = Conv(in_channels, channels, 1, stride) if changes else None
        self.conv_1, self.conv_2 = Conv(in_channels, channels, 3, stride), Conv(channels, channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, D, H / stride, W / stride]` from `[B, C, H, W]`."""
        h = F.relu(self.norm_1(x))
        x = self.skip(h) if self.skip else x
        return x + self.conv_2(F.relu(self.norm_2(self.conv_1(h))))

    def load(self, ours: Mapping[str, Any]) -> None:
        """Takes the weights of `ResidualBlock`."""
        convs = [self.skip, self.conv_1, self.conv_2] if self.skip else [self.conv_1, self.conv_2]
        for index, conv in enumerate(convs):
            conv.load(ours[f"Conv_{index}"])
        self.norm_1.load(ours["GroupNorm_0"])
        self.norm_2.load(ours["GroupNorm_1"])


class ResNet(nn.Module):
    """`[B, K]` logits of `[B, C, H, W]`."""

    def __init__(self, num_classes: int, channels: Sequence[int], num_blocks: int, in_channels: int):
        super().__init__()
        self.stem, blocks, last = Conv(in_channels, channels[0], 3), [], channels[0]
        for stage, width in enumerate(channels):
            for block in range(num_blocks):
                blocks.append(Block(last, width, 2 if stage > 0 and block == 0 else 1))
                last = width
        self.blocks, self.norm, self.head = nn.ModuleList(blocks), Norm(last), nn.Linear(last, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, K]`."""
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        return self.head(F.relu(self.norm(h)).mean((2, 3)))


@torch.no_grad()
def loaded(
    num_classes: int, channels: Sequence[int], num_blocks: int, in_channels: int, variables: Mapping[str, Any]
) -> ResNet:
    """One with the weights of `adl.nn.resnet.ResNet`."""
    params, model = variables["params"], ResNet(num_classes, channels, num_blocks, in_channels)
    model.stem.load(params["Conv_0"])
    for index, block in enumerate(model.blocks):
        block.load(params[f"ResidualBlock_{index}"])
    model.norm.load(params["GroupNorm_0"])
    affine(model.head, params["Dense_0"])
    return model


@torch.no_grad()
def affine(layer: nn.Linear, ours: Mapping[str, Any]) -> None:
    """Gives a layer the weights of flax's `Dense`."""
    layer.weight.copy_(torch.tensor(np.asarray(ours["kernel"]).T))
    layer.bias.copy_(torch.tensor(np.asarray(ours["bias"])))
