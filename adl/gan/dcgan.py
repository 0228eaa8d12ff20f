"""DCGAN: pictures by transposed convolutions alone, and their judge by convolutions alone.

No pooling and no hidden dense layer: strides bring the size up and down. Both players normalise by the batch, so that a
penalty on the discriminator's slope, which is of one example, does not fit them.
Source: Radford et al. 2016, arXiv:1511.06434, section 3 and figure 1.
"""

import functools
from collections.abc import Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.gan.adversarial import Players
from adl.gan.heads import Head, Projection, Wrap, bare
from adl.gan.networks import leaky_relu, resolutions, with_class
from adl.nn.convolution import Conv
from adl.nn.resnet import BatchNorm
from adl.nn.transposed import ConvTranspose

INIT = nn.initializers.normal(0.02)  # of all kernels
WINDOW = (4, 4)  # of all kernels: twice the stride, so that each place is reached by as many


def deep_convolutions(
    shape: Sequence[int],
    width: int,
    num_classes: int = 0,
    *,
    wrap: Wrap = bare,
    head: Head = Projection,
    axis: str | None = None,
    dtype: jnp.dtype = jnp.float32,
) -> Players[nn.Module]:
    """The two networks; the arguments are those of `DCGenerator` and `DCDiscriminator`."""
    gen = DCGenerator(shape, width, num_classes, axis, dtype)
    return Players(gen, DCDiscriminator(width, num_classes, wrap, head, axis, dtype))


class DCGenerator(nn.Module):
    """Pictures in (-1, 1): an affine map to the lowest of the `resolutions`, a transposed convolution to each other.

    Source: Radford et al. 2016, arXiv:1511.06434, figure 1.
    """

    shape: Sequence[int]  # (H, W, C) of a picture
    width: int  # channels at half the resolution; twice as many after each further halving
    num_classes: int = 0  # K; 0 where no label is given
    axis: str | None = None  # mapped axis (pmap) whose devices share one batch
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and pictures are float32

    @nn.compact
    def __call__(self, z: Array, label: Array | None = None) -> Array:
        """`[B, H, W, C]` from `z` `[B, Z]` and `label` `[B]` in 0 ... K - 1."""
        levels = resolutions(self.shape)
        norm = functools.partial(BatchNorm, self.axis, dtype=self.dtype)
        (rows, cols), deepest = levels[-1], self.width * 2 ** max(0, len(levels) - 2)
        given = with_class(z, label, self.num_classes)
        h = nn.Dense(rows * cols * deepest, kernel_init=INIT, dtype=self.dtype)(given)
        h = nn.relu(norm()(h.reshape(-1, rows, cols, deepest)))
        for level in reversed(range(1, len(levels) - 1)):
            rows, cols = levels[level]
            up = ConvTranspose(self.width * 2 ** (level - 1), WINDOW, 2, kernel_init=INIT, dtype=self.dtype)
            h = nn.relu(norm()(up(h)[:, :rows, :cols]))
        rows, cols, channels = self.shape
        last = ConvTranspose(channels, WINDOW, min(2, len(levels)), kernel_init=INIT, dtype=jnp.float32)
        return jnp.tanh(last(h)[:, :rows, :cols])


class DCDiscriminator(nn.Module):
    """A convolution of stride 2 to each of the lower `resolutions`, and a head on all at the last.

    Source: Radford et al. 2016, arXiv:1511.06434, section 3.
    """

    width: int  # channels at half the resolution; twice as many after each further halving
    num_classes: int = 0  # K; 0 where no label is given
    wrap: Wrap = bare
    head: Head = Projection  # what the last features are judged by
    axis: str | None = None  # mapped axis (pmap) whose devices share one batch
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B]`, or what the head gives, from `x` `[B, H, W, C]` and `label` `[B]` in 0 ... K - 1."""
        chex.assert_rank(x, 4)
        h = x
        for level in range(max(1, len(resolutions(x.shape[1:])) - 1)):
            down = Conv(self.width * 2**level, WINDOW, 2, kernel_init=INIT, dtype=self.dtype)
            h = self.wrap(down)(h)
            h = leaky_relu(BatchNorm(self.axis, dtype=self.dtype)(h) if level else h)
        return self.head(self.num_classes, self.wrap)(h.reshape(len(h), -1), label)
