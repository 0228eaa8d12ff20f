"""Residual networks: each block adds a correction to what came before, so that depth costs no signal."""

import functools
from collections.abc import Callable, Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout

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
    """Pre-activation residual network for small pictures.

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

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features `[B, channels[-1]]`, from pictures `x` `[B, H, W, C]`."""
        chex.assert_rank(x, 4)
        h = Conv(self.channels[0], (3, 3), self.stem_stride, use_bias=False, dtype=self.dtype)(x)
        for stage, width in enumerate(self.channels):
            for block in range(self.num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                h = ResidualBlock(width, stride, self.norm, self.dtype)(h)
        h = nn.relu(self.norm(dtype=self.dtype)(h)).mean((1, 2))
        h = Dropout(self.dropout)(h)
        return h.astype(jnp.float32) if self.num_classes is None else nn.Dense(self.num_classes, dtype=jnp.float32)(h)


class ResidualBlock(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))), with x projected where its shape changes."""

    channels: int
    stride: int
    norm: Callable[..., nn.Module]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H / stride, W / stride, channels]` from `x` `[B, H, W, C]`."""
        conv = functools.partial(Conv, self.channels, use_bias=False, dtype=self.dtype)
        h = nn.relu(self.norm(dtype=self.dtype)(x))
        if self.stride > 1 or x.shape[-1] != self.channels:
            x = conv((1, 1), self.stride)(h)  # of the activated input, as in the source
        h = conv((3, 3), self.stride)(h)
        h = nn.relu(self.norm(dtype=self.dtype)(h))
        return x + conv((3, 3))(h)
