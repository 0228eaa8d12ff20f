"""Residual networks: each block adds a correction to what came before, so that depth costs no signal."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout
from adl.nn.receptive import Field, Layer, receptive_field

group_norm = functools.partial(nn.GroupNorm, num_groups=8, use_fast_variance=False)  # of a multiple of 8 channels


class BatchNorm(nn.Module):
    """Batch normalisation that needs no flag: the batch's statistics where they may move, else the running ones.

    `apply(..., mutable=["batch_stats"])` normalises by the batch and moves the running mean and variance; a plain
    `apply` normalises by the running ones.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    axis: str | None = None  # mapped axis (pmap) whose devices share one batch; None: one device, or the compiler
    momentum: float = 0.9  # in [0, 1), of the running statistics
    dtype: jnp.dtype = jnp.float32  # of the computation

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., C]`, of mean 0 and variance 1 in each channel before the learned scale and shift."""
        is_fixed = not self.is_mutable_collection("batch_stats")
        axis = None if self.is_initializing() else self.axis  # the axis has no name yet when parameters are made
        return nn.BatchNorm(
            is_fixed, momentum=self.momentum, dtype=self.dtype, axis_name=axis, use_fast_variance=False
        )(x)


class ResNet(nn.Module):
    """Pre-activation residual network for small pictures: ResNet v2, and with `wide` the wide ones.

    A 3x3 convolution; stages of residual blocks, each stage after the first at half the height and width (rounded
    up); normalisation, mean over the picture, and an affine map. Dropout acts on the mean when a `dropout` key is
    given to `apply`, and only then.

    Source: He et al. 2016, arXiv:1603.05027, figure 1(b); group normalisation: Wu & He 2018, arXiv:1803.08494.
    """

    num_classes: int | None  # K, size of the output; None: the features themselves, without the affine map
    channels: Sequence[int] = (16, 32, 64)  # of each stage
    num_blocks: int = 1  # residual blocks a stage, of two convolutions each
    stem_stride: int = 1  # of the first convolution; 2 is four times cheaper
    norm: Callable[..., nn.Module] = group_norm  # `norm(dtype=...)`; or `BatchNorm`, with the axis that it needs
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters, logits and features are float32
    stem: int | None = None  # channels of the first convolution; None: those of the first stage
    block_dropout: float = 0.0  # in [0, 1), between the convolutions of a block

    @classmethod
    def wide(cls, depth: int, factor: int, num_classes: int | None, **fields: Any) -> "ResNet":
        """Wide ResNet of depth 6 n + 4 and `factor` times the channels; WRN-28-10 has 36.5 M parameters.

        Source: Zagoruyko & Komodakis 2016, arXiv:1605.07146, table 1.
        """
        if depth < 10 or (depth - 4) % 6:
            raise BadInput(f"depth {depth}: three stages of n blocks of two convolutions are 6 n + 4 deep: 16, 28")
        channels = [factor * width for width in (16, 32, 64)]
        return cls(num_classes, channels, (depth - 4) // 6, **{"norm": BatchNorm, "stem": 16, **fields})

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features `[B, channels[-1]]`, from pictures `x` `[B, H, W, C]`."""
        chex.assert_rank(x, 4)
        h = Conv(self.stem or self.channels[0], (3, 3), self.stem_stride, use_bias=False, dtype=self.dtype)(x)
        for stage, width in enumerate(self.channels):
            for block in range(self.num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                h = ResidualBlock(width, stride, self.norm, self.dtype, self.block_dropout)(h)
        h = nn.relu(self.norm(dtype=self.dtype)(h)).mean((1, 2))
        h = Dropout(self.dropout)(h)
        return h.astype(jnp.float32) if self.num_classes is None else nn.Dense(self.num_classes, dtype=jnp.float32)(h)


def receptive_fields(model: ResNet) -> dict[str, Field]:
    """The pixels that units of each layer see along an axis, by its name in the model's parameters, in their order.

    As far as convolutions carry them: a normalisation over the picture sees all of it.

    Args:
      model: of any number of blocks.
    """
    stack = [Layer(3, model.stem_stride)]
    fields = {"Conv_0": receptive_field(stack)}
    for i in range(len(model.channels) * model.num_blocks):
        is_halved = i >= model.num_blocks and i % model.num_blocks == 0
        stack += [Layer(3, 2 if is_halved else 1), Layer(3)]
        fields[f"ResidualBlock_{i}"] = receptive_field(stack)
    return fields


class ResidualBlock(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))), with x projected where its shape changes."""

    channels: int
    stride: int
    norm: Callable[..., nn.Module]
    dtype: jnp.dtype
    dropout: float = 0.0  # in [0, 1), between the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H / stride, W / stride, channels]` from `x` `[B, H, W, C]`."""
        conv = functools.partial(Conv, self.channels, use_bias=False, dtype=self.dtype)
        h = nn.relu(self.norm(dtype=self.dtype)(x))
        if self.stride > 1 or x.shape[-1] != self.channels:
            x = conv((1, 1), self.stride)(h)  # of the activated input, as in the source
        h = conv((3, 3), self.stride)(h)
        h = Dropout(self.dropout)(nn.relu(self.norm(dtype=self.dtype)(h)))
        return x + conv((3, 3))(h)


class CifarResNet(nn.Module):
    """Residual network v1 for small pictures: blocks are rectified after the sum, shortcuts have no parameters.

    A 3x3 convolution; stages of blocks, each after the first at half the height and width; mean and an affine map. A
    shortcut to more channels takes every second pixel, and zeros for the new ones. `of_depth` 20, 56 and 110 have
    0.27, 0.85 and 1.7 M parameters.

    Source: He et al. 2015, arXiv:1512.03385, section 4.2, option A.
    """

    num_classes: int | None  # K, size of the output; None: the features themselves, without the affine map
    num_blocks: int  # n, residual blocks a stage, of two convolutions each
    channels: Sequence[int] = (16, 32, 64)  # of each stage
    norm: Callable[..., nn.Module] = BatchNorm  # `norm(dtype=...)`
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters, logits and features are float32

    @classmethod
    def of_depth(cls, depth: int, num_classes: int | None = 10, **fields: Any) -> "CifarResNet":
        """That of 6 n + 2 layers."""
        if depth < 8 or (depth - 2) % 6:
            raise BadInput(f"depth {depth}: three stages of n blocks of two convolutions are 6 n + 2 deep: 20, 56")
        return cls(num_classes, (depth - 2) // 6, **fields)

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features `[B, channels[-1]]`, from pictures `x` `[B, H, W, C]`."""
        chex.assert_rank(x, 4)
        conv = functools.partial(
            Conv, padding=[(1, 1)] * 2, use_bias=False, dtype=self.dtype, kernel_init=nn.initializers.he_normal()
        )
        h = nn.relu(self.norm(dtype=self.dtype)(conv(self.channels[0], (3, 3))(x)))
        for stage, width in enumerate(self.channels):
            for block in range(self.num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                short = h[:, ::stride, ::stride]
                short = jnp.pad(short, [(0, 0)] * 3 + [(0, width - h.shape[-1])])
                h = nn.relu(self.norm(dtype=self.dtype)(conv(width, (3, 3), stride)(h)))
                h = nn.relu(short + self.norm(dtype=self.dtype)(conv(width, (3, 3))(h)))
        h = h.mean((1, 2))
        return h.astype(jnp.float32) if self.num_classes is None else nn.Dense(self.num_classes, dtype=jnp.float32)(h)
