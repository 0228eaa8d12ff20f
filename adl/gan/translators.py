"""Translators: from pictures in [-1, 1] to pictures in (-1, 1) of the same shape; by convolutions or perceptrons.

What a translator can do at once decides what it finds: convolutions keep places, and perceptrons know of none.
"""

import functools
from collections.abc import Callable, Sequence

import chex
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl.gan.adversarial import Players
from adl.gan.cycle import Ways
from adl.gan.heads import Wrap, bare
from adl.gan.networks import ConvDiscriminator, MLPDiscriminator, leaky_relu, resolutions
from adl.nn.convolution import Conv
from adl.nn.mlp import MLP, flat
from adl.nn.resnet import group_norm


def perceptron_pairs(hidden: Sequence[int], *, wrap: Wrap = bare, dtype: jnp.dtype = jnp.float32) -> Players[nn.Module]:
    """Two `MLPTranslator`s and two `MLPDiscriminator`s, of hidden layers so wide."""
    return _pairs(lambda: MLPTranslator(hidden, dtype), lambda: MLPDiscriminator(hidden, wrap=wrap, dtype=dtype))


def convolution_pairs(
    width: int, num_blocks: int, *, wrap: Wrap = bare, dtype: jnp.dtype = jnp.float32
) -> Players[nn.Module]:
    """Two `ConvTranslator`s and two `ConvDiscriminator`s, of so many channels."""
    gen = functools.partial(ConvTranslator, width, num_blocks, dtype)
    return _pairs(gen, functools.partial(ConvDiscriminator, width, wrap=wrap, dtype=dtype))


class MLPTranslator(nn.Module):
    """A perceptron over all pixels."""

    hidden: Sequence[int]  # widths of the hidden layers
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and pictures are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, C]` from `[B, H, W, C]`."""
        size = int(np.prod(x.shape[1:]))
        out = MLP((*self.hidden, size), activation=leaky_relu, dtype=self.dtype)(flat(x))
        return jnp.tanh(out.astype(jnp.float32)).reshape(x.shape)


class ConvTranslator(nn.Module):
    """A 3x3 convolution, down to a quarter of the size at most, residual blocks there, and up again.

    Pictures of up to 8 pixels a side keep their size.

    Source: Johnson et al. 2016, arXiv:1603.08155, as in Zhu et al. 2017, arXiv:1703.10593, section 7.2.
    """

    width: int  # channels at full resolution, a multiple of 8; twice as many after each halving
    num_blocks: int  # residual blocks
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and pictures are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, C]` from `[B, H, W, C]`."""
        chex.assert_rank(x, 4)
        sizes = resolutions(x.shape[1:])
        sizes = sizes[: 1 + min(2, max(0, len(sizes) - 2))]

        def layer(h: Array, width: int, stride: int = 1) -> Array:
            return group_norm(dtype=self.dtype)(Conv(width, (3, 3), stride, dtype=self.dtype)(h))

        h = nn.relu(layer(x, self.width))
        for level in range(1, len(sizes)):
            h = nn.relu(layer(h, self.width * 2**level, 2))
        for _ in range(self.num_blocks):
            h = h + layer(nn.relu(layer(h, h.shape[-1])), h.shape[-1])
        for level in reversed(range(len(sizes) - 1)):
            rows, cols = sizes[level]
            h = nn.relu(layer(h.repeat(2, 1).repeat(2, 2)[:, :rows, :cols], self.width * 2**level))
        return jnp.tanh(Conv(x.shape[-1], (3, 3), dtype=jnp.float32)(h))


def _pairs(gen: Callable[[], nn.Module], disc: Callable[[], nn.Module]) -> Players[nn.Module]:
    return Players(Ways(gen(), gen()), Ways(disc(), disc()))
