"""A U-Net: a picture in, a picture out, seen at every scale on the way and told a noise level and a class."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn import embed
from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout


def widths(width: int, size: int) -> tuple[int, ...]:
    """Channels of the levels for pictures of `size` pixels: halved down to at most 7, with twice as many each time."""
    return (width,) if size <= 7 else (width, *widths(2 * width, -(-size // 2)))


class UNet(nn.Module):
    """Residual U-Net conditioned on a noise level and a class.

    Each level halves the picture (rounding up, so that any size works: 28, 14, 7, 4) and hands the output of every
    block to the way up, where it is concatenated. The last convolution starts at zero. Dropout acts when a
    `dropout` key is given to `apply`, and only then.

    Source: Ronneberger et al. 2015, arXiv:1505.04597; residual blocks and scale-shift conditioning as in Dhariwal
    & Nichol 2021, arXiv:2105.05233, appendix A.
    """

    channels: Sequence[int]  # of each level, from full to lowest resolution
    num_classes: int  # K; label K stands for "no class given"
    num_blocks: int = 2  # residual blocks a level on the way down; one more on the way up
    attention: Sequence[int] = ()  # levels (0 is full resolution) whose blocks end in self-attention
    num_groups: int = 8  # of GroupNorm; divides every channel count
    dropout: float = 0.0  # in [0, 1), within residual blocks
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array, noise: Array, label: Array) -> Array:
        """`[B, H, W, C]` output picture.

        Args:
          x: `[B, H, W, C]` input picture, of about unit variance.
          noise: `[B]` noise level on a logarithmic scale of order 1, as c_noise of the preconditioner.
          label: `[B]` integer class in 0 ... K, K for none.
        """
        condition = self._condition(noise, label)
        h = Conv(self.channels[0], (3, 3), dtype=self.dtype)(x)
        skips = [h]
        for level, width in enumerate(self.channels):
            if level > 0:
                h = Conv(width, (3, 3), strides=2, dtype=self.dtype)(h)
                skips.append(h)
            for _ in range(self.num_blocks):
                h = self._block(h, condition, level)
                skips.append(h)

        h = self._block(h, condition, len(self.channels) - 1)

        for level in reversed(range(len(self.channels))):
            for _ in range(self.num_blocks + 1):
                h = self._block(jnp.concatenate([h, skips.pop()], -1), condition, level)
            if level > 0:
                height, width = skips[-1].shape[1:3]
                h = h.repeat(2, 1).repeat(2, 2)[:, :height, :width]
                h = Conv(self.channels[level - 1], (3, 3), dtype=self.dtype)(h)

        h = nn.silu(nn.GroupNorm(self.num_groups, dtype=self.dtype)(h))
        return Conv(x.shape[-1], (3, 3), kernel_init=nn.initializers.zeros, dtype=jnp.float32)(h)

    def _condition(self, noise: Array, label: Array) -> Array:
        """`[B, D]` embedding of the noise level and the class."""
        dim = 4 * self.channels[0]
        scales = embed.sinusoidal(noise, self.channels[0], slowest=0.5, fastest=32.0)
        # Entries of unit variance: flax's own would whisper the class beside the noise level.
        classes = nn.Embed(self.num_classes + 1, dim, embedding_init=nn.initializers.normal(1.0), dtype=self.dtype)(
            label
        )
        h = nn.Dense(dim, dtype=self.dtype)(scales) + classes
        return nn.silu(nn.Dense(dim, dtype=self.dtype)(nn.silu(h)))

    def _block(self, h: Array, condition: Array, level: int) -> Array:
        h = ResidualBlock(self.channels[level], self.num_groups, self.dropout, self.dtype)(h, condition)
        return SelfAttention(self.num_groups, self.dtype)(h) if level in self.attention else h


class ResidualBlock(nn.Module):
    """Two convolutions around a skip; the condition scales and shifts in between."""

    channels: int
    num_groups: int
    dropout: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, condition: Array) -> Array:
        """`[B, H, W, channels]` from `x` `[B, H, W, C]` and `condition` `[B, D]`."""
        scale, shift = jnp.split(nn.Dense(2 * self.channels, dtype=self.dtype)(condition)[:, None, None], 2, -1)
        h = nn.silu(nn.GroupNorm(self.num_groups, dtype=self.dtype)(x))
        h = Conv(self.channels, (3, 3), dtype=self.dtype)(h)
        h = nn.silu(nn.GroupNorm(self.num_groups, dtype=self.dtype)(h) * (1 + scale) + shift)
        h = Dropout(self.dropout)(h)
        h = Conv(self.channels, (3, 3), kernel_init=nn.initializers.zeros, dtype=self.dtype)(h)
        if x.shape[-1] != self.channels:
            x = Conv(self.channels, (1, 1), dtype=self.dtype)(x)
        return x + h


class SelfAttention(nn.Module):
    """Every pixel looks at every other pixel: one head, around a skip."""

    num_groups: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, C]` from `x` `[B, H, W, C]`."""
        size, height, width, channels = x.shape
        # Rows of one matrix: on CPU the kernel's gradient is three times slower when it contracts two axes.
        h = nn.GroupNorm(self.num_groups, dtype=self.dtype)(x).reshape(-1, channels)
        h = nn.Dense(3 * channels, dtype=self.dtype)(h).reshape(size, height * width, 3 * channels)
        query, key, value = jnp.split(h, 3, -1)
        weights = jax.nn.softmax(query @ key.mT / jnp.sqrt(channels).astype(self.dtype))
        h = (weights @ value).reshape(-1, channels)
        h = nn.Dense(channels, kernel_init=nn.initializers.zeros, dtype=self.dtype)(h)
        return x + h.reshape(x.shape)
