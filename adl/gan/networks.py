"""Players: perceptrons for anything small, convolutions for pictures of any size; both are told a class, or nothing.

Generators are `(z [B, Z], label [B] or None) -> x [B, ...]`, discriminators `(x [B, ...], label) -> logits [B]`.
"""

from collections.abc import Callable, Sequence

import chex
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl.gan.adversarial import Players
from adl.gan.heads import Head, Projection, Wrap, bare, require_classes
from adl.nn.convolution import Conv
from adl.nn.mlp import MLP
from adl.nn.resnet import group_norm


def leaky_relu(x: Array) -> Array:
    """max(x, x / 5): a discriminator of these has a gradient everywhere, and so has what it teaches."""
    return nn.leaky_relu(x, 0.2)


def perceptrons(
    shape: Sequence[int],
    hidden: Sequence[int],
    num_classes: int = 0,
    *,
    output: Callable[[Array], Array] = jnp.tanh,
    wrap: Wrap = bare,
    head: Head = Projection,
    dtype: jnp.dtype = jnp.float32,
) -> Players[nn.Module]:
    """Two perceptrons; the arguments are those of `MLPGenerator` and `MLPDiscriminator`."""
    gen = MLPGenerator(shape, hidden, num_classes, output, dtype)
    return Players(gen, MLPDiscriminator(hidden, num_classes, wrap, dtype, head))


def convolutions(
    shape: Sequence[int],
    width: int,
    num_classes: int = 0,
    *,
    wrap: Wrap = bare,
    head: Head = Projection,
    dtype: jnp.dtype = jnp.float32,
) -> Players[nn.Module]:
    """Two convolutional networks; the arguments are those of `ConvGenerator` and `ConvDiscriminator`."""
    gen = ConvGenerator(shape, width, num_classes, dtype)
    return Players(gen, ConvDiscriminator(width, num_classes, wrap, dtype, head))


class MLPGenerator(nn.Module):
    """A perceptron of the latent and an embedding of the class."""

    shape: Sequence[int]  # of an example: (H, W, C), (D,)
    hidden: Sequence[int]  # widths of the hidden layers
    num_classes: int = 0  # K; 0 where no label is given
    output: Callable[[Array], Array] = jnp.tanh  # the examples' range
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and examples are float32

    @nn.compact
    def __call__(self, z: Array, label: Array | None = None) -> Array:
        """`[B, *shape]` from `z` `[B, Z]` and `label` `[B]` in 0 ... K - 1."""
        h = with_class(z, label, self.num_classes)
        x = MLP((*self.hidden, int(np.prod(self.shape))), activation=leaky_relu, dtype=self.dtype)(h)
        return self.output(x.astype(jnp.float32)).reshape(-1, *self.shape)


class MLPDiscriminator(nn.Module):
    """A perceptron, and a head on its last hidden layer."""

    hidden: Sequence[int]  # widths of the hidden layers
    num_classes: int = 0  # K; 0 where no label is given
    wrap: Wrap = bare
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32
    head: Head = Projection  # what the last features are judged by

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B]`, or what the head gives, from `x` `[B, ...]` and `label` `[B]` in 0 ... K - 1."""
        h = x.reshape(len(x), -1)
        for width in self.hidden:
            h = leaky_relu(self.wrap(nn.Dense(width, dtype=self.dtype))(h))
        return self.head(self.num_classes, self.wrap)(h, label)


class ConvGenerator(nn.Module):
    """Pictures in (-1, 1) by convolutions that the latent and the class modulate.

    An affine map to the lowest of the `resolutions`; at each, on the way up, a 3x3 convolution, normalised, then scaled
    and shifted by the latent and the class, which so are seen at every scale.

    Source: Radford et al. 2016, arXiv:1511.06434; modulation: Brock et al. 2019, arXiv:1809.11096, section 3.
    """

    shape: Sequence[int]  # (H, W, C) of a picture
    width: int  # channels at full resolution, a multiple of 8; twice as many after each halving
    num_classes: int = 0  # K; 0 where no label is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and pictures are float32

    @nn.compact
    def __call__(self, z: Array, label: Array | None = None) -> Array:
        """`[B, H, W, C]` from `z` `[B, Z]` and `label` `[B]` in 0 ... K - 1."""
        given = with_class(z, label, self.num_classes)
        levels = resolutions(self.shape)
        (rows, cols), width = levels[-1], self.width * 2 ** (len(levels) - 1)
        h = nn.Dense(rows * cols * width, dtype=self.dtype)(given).reshape(-1, rows, cols, width)
        for level in reversed(range(len(levels))):
            (rows, cols), width = levels[level], self.width * 2**level
            if level < len(levels) - 1:
                h = h.repeat(2, 1).repeat(2, 2)[:, :rows, :cols]
            h = group_norm(dtype=self.dtype)(Conv(width, (3, 3), dtype=self.dtype)(h))
            scale, shift = jnp.split(nn.Dense(2 * width, dtype=self.dtype)(given)[:, None, None], 2, -1)
            h = leaky_relu(h * (1 + scale) + shift)
        return jnp.tanh(Conv(self.shape[-1], (3, 3), dtype=jnp.float32)(h))


class ConvDiscriminator(nn.Module):
    """A 3x3 convolution at each of the `resolutions`, one of stride 2 between, and a head on all at the last.

    Source: Radford et al. 2016, arXiv:1511.06434.
    """

    width: int  # channels at full resolution; twice as many after each halving
    num_classes: int = 0  # K; 0 where no label is given
    wrap: Wrap = bare
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32
    head: Head = Projection  # what the last features are judged by

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B]`, or what the head gives, from `x` `[B, H, W, C]` and `label` `[B]` in 0 ... K - 1."""
        chex.assert_rank(x, 4)
        h = x
        for level in range(len(resolutions(x.shape[1:]))):
            width = self.width * 2**level
            if level > 0:
                h = leaky_relu(self.wrap(Conv(width, (3, 3), 2, dtype=self.dtype))(h))
            h = leaky_relu(self.wrap(Conv(width, (3, 3), dtype=self.dtype))(h))
        h = leaky_relu(self.wrap(nn.Dense(4 * self.width, dtype=self.dtype))(h.reshape(len(h), -1)))
        return self.head(self.num_classes, self.wrap)(h, label)


def resolutions(shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(height, width) of a picture of this shape, and of its halves, rounded up, down to at most 4 pixels a side."""
    height, width = shape[:2]
    if max(height, width) <= 4:
        return ((height, width),)
    return ((height, width), *resolutions((-(-height // 2), -(-width // 2))))


def with_class(z: Array, label: Array | None, num_classes: int) -> Array:
    """`[B, 2 Z]` latents beside an embedding of the class of the same size and scale; without a label, `z`."""
    if label is None:
        return z
    require_classes(label)
    embedding = nn.Embed(num_classes, z.shape[-1], embedding_init=nn.initializers.normal(1.0))
    return jnp.concatenate([z, embedding(label)], -1)
