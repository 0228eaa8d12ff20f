"""A U-Net: a picture in, a picture out, seen at every scale on the way and told what a vector says."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.attention import MultiHeadAttention
from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout
from adl.nn.resnet import group_norm


def widths(width: int, size: int) -> tuple[int, ...]:
    """Channels of the levels for pictures of `size` pixels: halved down to at most 7, with twice as many each time."""
    return (width,) if size <= 7 else (width, *widths(2 * width, -(-size // 2)))


class Words(NamedTuple):
    """What a picture is told in words: one vector of them all, and each of them."""

    vector: Array  # [B, D]
    memory: Array  # [B, U, E] of each word
    mask: Array  # [B, U] boolean, False at padding


class UNet(nn.Module):
    """Residual U-Net, of pictures alone or under a condition: a noise level, a class, a text (`embed.Conditioner`).

    Each level halves the picture (rounding up, so that any size works: 28, 14, 7, 4) and hands the output of every
    block to the way up, where it is concatenated. The last convolution starts at zero. Dropout acts when a
    `dropout` key is given to `apply`, and only then.

    Source: Ronneberger et al. 2015, arXiv:1505.04597; residual blocks and scale-shift conditioning as in Dhariwal
    & Nichol 2021, arXiv:2105.05233, appendix A.
    """

    channels: Sequence[int]  # of each level, from full to lowest resolution
    num_blocks: int = 2  # residual blocks a level on the way down; one more on the way up
    attention: Sequence[int] = ()  # levels (0 is full resolution) whose blocks end in self-attention
    num_groups: int = 8  # of GroupNorm; divides every channel count
    dropout: float = 0.0  # in [0, 1), within residual blocks
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    features: int | None = None  # channels of the output, the classes of a segmentation; None: those of the input
    patch: int = 1  # pixels a side that are folded into the channels of one: full resolution is where convolutions cost
    norm: Callable[..., nn.Module] | None = None  # `norm(dtype=...)`, as `resnet.BatchNorm`; None: GroupNorm

    @nn.compact
    def __call__(self, x: Array, condition: Array | Words | None = None) -> Array:
        """`[B, H, W, features]` output picture.

        Args:
          x: `[B, H, W, C]` input picture, of about unit variance.
          condition: `[B, D]` what the blocks are told; `Words`: where pixels attend to each other, they then attend to
            words; None: nothing.
        """
        chex.assert_rank(x, 4)
        words: tuple[Array, ...] = ()
        if isinstance(condition, Words):
            condition, *words = condition
        if condition is not None:
            chex.assert_shape(condition, (len(x), None))
        tall, wide = x.shape[1:3]
        features = self.features or x.shape[-1]
        x = space_to_depth(whole_patches(x, self.patch), self.patch)
        norm = self.norm or functools.partial(group_norm, num_groups=self.num_groups)
        numbers = itertools.count()

        def block(h, level):
            options = norm, self.dropout, self.dtype
            h = ConditionalBlock(self.channels[level], *options, name=f"ResidualBlock_{next(numbers)}")(h, condition)
            if level in self.attention:
                h = SelfAttention(norm, self.dtype)(h)
                h = WordAttention(norm, self.dtype)(h, *words) if words else h
            return h

        h = Conv(self.channels[0], (3, 3), dtype=self.dtype)(x)
        skips = [h]
        for level, width in enumerate(self.channels):
            if level > 0:
                h = Conv(width, (3, 3), strides=2, dtype=self.dtype)(h)
                skips.append(h)
            for _ in range(self.num_blocks):
                h = block(h, level)
                skips.append(h)

        h = block(h, len(self.channels) - 1)

        for level in reversed(range(len(self.channels))):
            for _ in range(self.num_blocks + 1):
                h = block(jnp.concatenate([h, skips.pop()], -1), level)
            if level > 0:
                height, width = skips[-1].shape[1:3]
                h = h.repeat(2, 1).repeat(2, 2)[:, :height, :width]
                h = Conv(self.channels[level - 1], (3, 3), dtype=self.dtype)(h)

        h = nn.silu(norm(dtype=self.dtype)(h))
        features *= self.patch**2
        h = Conv(features, (3, 3), kernel_init=nn.initializers.zeros, dtype=jnp.float32)(h)
        return depth_to_space(h, self.patch)[:, :tall, :wide]


def space_to_depth(x: Array, size: int) -> Array:
    """`[B, H / size, W / size, size^2 C]` of `[B, H, W, C]`: each square of `size x size` pixels as one of all of them.

    Source: Shi et al. 2016, arXiv:1609.05158, section 2.2, the inverse of its eq. 4.
    """
    chex.assert_is_divisible(x.shape[1], size)
    chex.assert_is_divisible(x.shape[2], size)
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // size, size, width // size, size, channels).swapaxes(2, 3)
    return x.reshape(batch, height // size, width // size, -1)


def depth_to_space(x: Array, size: int) -> Array:
    """`[B, size H, size W, C]` of `[B, H, W, size^2 C]`: the inverse of `space_to_depth`."""
    chex.assert_is_divisible(x.shape[-1], size**2)
    batch, height, width, _ = x.shape
    x = x.reshape(batch, height, width, size, size, -1).swapaxes(2, 3)
    return x.reshape(batch, size * height, size * width, -1)


def whole_patches(x: Array, size: int) -> Array:
    """Pictures whose last row and column are repeated, below and at the right, until all are in a whole patch."""
    below, right = -x.shape[1] % size, -x.shape[2] % size
    return jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge") if below or right else x


class ConditionalBlock(nn.Module):
    """Two convolutions around a skip; the condition scales and shifts in between."""

    channels: int
    norm: Callable[..., nn.Module]
    dropout: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Array:
        """`[B, H, W, channels]` from `x` `[B, H, W, C]` and `condition` `[B, D]`, None for none."""
        h = nn.silu(self.norm(dtype=self.dtype)(x))
        h = Conv(self.channels, (3, 3), dtype=self.dtype)(h)
        h = self.norm(dtype=self.dtype)(h)
        if condition is not None:
            scale, shift = jnp.split(nn.Dense(2 * self.channels, dtype=self.dtype)(condition)[:, None, None], 2, -1)
            h = h * (1 + scale) + shift
        h = nn.silu(h)
        h = Dropout(self.dropout)(h)
        h = Conv(self.channels, (3, 3), kernel_init=nn.initializers.zeros, dtype=self.dtype)(h)
        if x.shape[-1] != self.channels:
            x = Conv(self.channels, (1, 1), dtype=self.dtype)(x)
        return x + h


class SelfAttention(nn.Module):
    """Every pixel looks at every other pixel: one head, around a skip."""

    norm: Callable[..., nn.Module]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, C]` from `x` `[B, H, W, C]`."""
        size, height, width, channels = x.shape
        # Rows of one matrix: on CPU the kernel's gradient is three times slower when it contracts two axes.
        h = self.norm(dtype=self.dtype)(x).reshape(-1, channels)
        h = nn.Dense(3 * channels, dtype=self.dtype)(h).reshape(size, height * width, 3 * channels)
        query, key, value = jnp.split(h, 3, -1)
        weights = jax.nn.softmax(query @ key.mT / jnp.sqrt(channels).astype(self.dtype))
        h = (weights @ value).reshape(-1, channels)
        h = nn.Dense(channels, kernel_init=nn.initializers.zeros, dtype=self.dtype)(h)
        return x + h.reshape(x.shape)


class WordAttention(nn.Module):
    """Every pixel looks at every word, around a skip. Source: Rombach et al. 2022, arXiv:2112.10752, section 3.3."""

    norm: Callable[..., nn.Module]
    dtype: jnp.dtype
    num_heads: int = 4  # which divides the channels

    @nn.compact
    def __call__(self, x: Array, memory: Array, mask: Array) -> Array:
        """`[B, H, W, C]` from `x` `[B, H, W, C]`, as `Words` have `memory` and `mask`."""
        h = self.norm(dtype=self.dtype)(x).reshape(len(x), -1, x.shape[-1])
        look = MultiHeadAttention(self.num_heads, self.dtype, output_init=nn.initializers.zeros)
        return x + look(h, memory, mask=mask[:, None, None]).reshape(x.shape)
