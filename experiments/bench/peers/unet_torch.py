"""The conditional U-Net of `adl.nn.unet.UNet` in PyTorch, as users write it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from experiments.bench.peers.resnet_torch import Conv, Norm, affine


class Block(nn.Module):
    """Two convolutions around a skip; the condition scales and shifts in between."""

    def __init__(self, in_channels: int, channels: int, condition: int):
        super().__init__()
        self.norm_1, self.norm_2, self.told = Norm(in_channels), Norm(channels), nn.Linear(condition, 2 * channels)
        self.conv_1, self.conv_2 = (Conv(c, channels, 3, bias=True) for c in (in_channels, channels))
        self.skip = Conv(in_channels, channels, 1, bias=True) if in_channels != channels else None

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """`[B, D, H, W]` from `[B, C, H, W]` and `[B, Z]`."""
        h = self.conv_1(F.silu(self.norm_1(x)))
        scale, shift = self.told(condition)[:, :, None, None].chunk(2, 1)
        h = self.conv_2(F.silu(self.norm_2(h) * (1 + scale) + shift))
        return (self.skip(x) if self.skip else x) + h

    def load(self, ours: Mapping[str, Any]) -> None:
        """Takes the weights of `ConditionalBlock`."""
        convs = [self.conv_1, self.conv_2, self.skip] if self.skip else [self.conv_1, self.conv_2]
        for index, conv in enumerate(convs):
            conv.load(ours[f"Conv_{index}"])
        self.norm_1.load(ours["GroupNorm_0"])
        self.norm_2.load(ours["GroupNorm_1"])
        affine(self.told, ours["Dense_0"])


class Attention(nn.Module):
    """Every pixel looks at every other: one head, around a skip."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.qkv, self.out = Norm(channels), nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, C, H, W]` from `[B, C, H, W]`."""
        h = self.qkv(self.norm(x).flatten(2).transpose(1, 2))
        q, k, v = (part[:, None] for part in h.chunk(3, -1))
        h = self.out(F.scaled_dot_product_attention(q, k, v)[:, 0])
        return x + h.transpose(1, 2).reshape(x.shape)

    def load(self, ours: Mapping[str, Any]) -> None:
        """Takes the weights of `SelfAttention`."""
        self.norm.load(ours["GroupNorm_0"])
        affine(self.qkv, ours["Dense_0"])
        affine(self.out, ours["Dense_1"])


class UNet(nn.Module):
    """`[B, C, H, W]` from pictures `[B, C, H, W]` and conditions `[B, Z]`; the lowest level attends."""

    def __init__(self, in_channels: int, channels: Sequence[int], num_blocks: int, condition: int):
        super().__init__()
        self.num_blocks, self.levels = num_blocks, len(channels)
        self.stem, self.norm = Conv(in_channels, channels[0], 3, bias=True), Norm(channels[0])
        self.head = Conv(channels[0], in_channels, 3, bias=True)
        last, skips = channels[0], [channels[0]]
        self.down, self.up, self.blocks, self.attend = (nn.ModuleList() for _ in range(4))

        def block(width_in: int, width: int, level: int) -> None:
            self.blocks.append(Block(width_in, width, condition))
            if level == self.levels - 1:
                self.attend.append(Attention(width))

        for level, width in enumerate(channels):
            if level:
                self.down.append(Conv(last, width, 3, 2, bias=True))
                skips.append(width)
                last = width
            for _ in range(num_blocks):
                block(last, width, level)
                last = width
                skips.append(width)
        block(last, last, self.levels - 1)
        for level in reversed(range(self.levels)):
            for _ in range(num_blocks + 1):
                block(last + skips.pop(), channels[level], level)
                last = channels[level]
            if level:
                self.up.append(Conv(last, channels[level - 1], 3, bias=True))
                last = channels[level - 1]

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """`[B, C, H, W]`."""
        blocks, attend, down, up = (iter(part) for part in (self.blocks, self.attend, self.down, self.up))

        def block(h: torch.Tensor, level: int) -> torch.Tensor:
            h = next(blocks)(h, condition)
            return next(attend)(h) if level == self.levels - 1 else h

        h = self.stem(x)
        skips = [h]
        for level in range(self.levels):
            if level:
                h = next(down)(h)
                skips.append(h)
            for _ in range(self.num_blocks):
                h = block(h, level)
                skips.append(h)
        h = block(h, self.levels - 1)
        for level in reversed(range(self.levels)):
            for _ in range(self.num_blocks + 1):
                h = block(torch.cat([h, skips.pop()], 1), level)
            if level:
                h = next(up)(F.interpolate(h, size=skips[-1].shape[2:], mode="nearest"))
        return self.head(F.silu(self.norm(h)))


@torch.no_grad()
def loaded(
    in_channels: int, channels: Sequence[int], num_blocks: int, condition: int, variables: Mapping[str, Any]
) -> UNet:
    """One with the weights of `adl.nn.unet.UNet`."""
    params, model = variables["params"], UNet(in_channels, channels, num_blocks, condition)
    for index, block in enumerate(model.blocks):
        block.load(params[f"ResidualBlock_{index}"])
    for index, part in enumerate(model.attend):
        part.load(params[f"SelfAttention_{index}"])
    for index, conv in enumerate([model.stem, *model.down, *model.up, model.head]):
        conv.load(params[f"Conv_{index}"])
    model.norm.load(params["GroupNorm_0"])
    return model
