"""Convolutional encoders and decoders, of pictures that come and go as rows of numbers.

Each level halves the picture, rounding up, and the decoder doubles it back to the same size: any size will do.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.autoencoder.vae import VAE, Gaussian
from adl.core import BadInput
from adl.nn.convolution import Conv
from adl.nn.mlp import flat
from adl.nn.transposed import convolve_transposed


class Halving(nn.Module):
    """Rows of pixels to a grid of channels, half as high and wide at each level."""

    shape: Sequence[int]  # of a picture, (H, W, C)
    channels: Sequence[int]  # of each level
    activation: Callable[[Array], Array] = nn.silu
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, h, w, channels[-1]]` from `x` `[B, H W C]`."""
        h = x.reshape(len(x), *self.shape)
        for width in self.channels:
            h = self.activation(Conv(width, (4, 4), strides=2, dtype=self.dtype)(h))
            h = h + self.activation(Conv(width, (3, 3), dtype=self.dtype)(h))
        return h


class Doubling(nn.Module):
    """The way back: a grid of channels to rows of what is said of the pixels."""

    shape: Sequence[int]  # of a picture, (H, W, C)
    channels: Sequence[int]  # of each level of `Halving`, in its order
    num_outputs: int = 1  # numbers that are said of each pixel
    activation: Callable[[Array], Array] = nn.silu
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, h: Array) -> Array:
        """`[B, num_outputs H W C]`, first the first numbers of all pixels, from `h` `[B, h, w, ...]`."""
        *sizes, last = reversed(halvings(self.shape[:2], len(self.channels)))
        h = Conv(self.channels[-1], (3, 3), dtype=self.dtype)(h)
        for level, width in enumerate(reversed(self.channels)):
            h = h + self.activation(Conv(h.shape[-1], (3, 3), dtype=self.dtype)(h))
            size = [*sizes[1:], last][level]
            kernel = self.param(
                f"up_{level}", nn.initializers.lecun_normal(in_axis=-1, out_axis=-2), (4, 4, width, h.shape[-1])
            )
            h = self.activation(convolve_transposed(h, kernel.astype(self.dtype), size=size, strides=2))
        out = Conv(self.num_outputs * self.shape[2], (3, 3), dtype=self.dtype)(h)
        return flat(jnp.moveaxis(out.reshape(*out.shape[:3], self.num_outputs, -1), 3, 1))


class PictureEncoder(nn.Module):
    """`Halving`, and an affine map to a row."""

    features: int  # numbers of the row
    shape: Sequence[int]  # as of `Halving`
    channels: Sequence[int]  # as of `Halving`
    activation: Callable[[Array], Array] = nn.silu
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, features]` from `x` `[B, H W C]`."""
        h = Halving(self.shape, self.channels, self.activation, self.dtype)(x)
        return nn.Dense(self.features, dtype=self.dtype)(flat(h))


class PictureDecoder(nn.Module):
    """An affine map of a row to a small grid, and `Doubling`."""

    shape: Sequence[int]  # as of `Doubling`
    channels: Sequence[int]  # as of `Doubling`
    num_outputs: int = 1  # as of `Doubling`
    activation: Callable[[Array], Array] = nn.silu
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """`[B, num_outputs H W C]` from `z` `[B, Z]`."""
        height, width = halvings(self.shape[:2], len(self.channels))[-1]
        h = self.activation(nn.Dense(height * width * self.channels[-1], dtype=self.dtype)(z))
        h = h.reshape(len(z), height, width, self.channels[-1])
        return Doubling(self.shape, self.channels, self.num_outputs, self.activation, self.dtype)(h)


def grid_vae(
    code_dim: int,
    channels: Sequence[int],
    shape: Sequence[int],
    num_outputs: int = 1,
    activation: Callable[[Array], Array] = nn.silu,
    dtype: jnp.dtype = jnp.float32,
) -> VAE:
    """Convolutional encoder and decoder around a Gaussian latent that is a grid, written as a row `[h w code_dim]`.

    Args:
      code_dim: numbers of each cell of the grid, >= 1.
      channels: as of `Halving`; the grid is as high and wide as the last level.
      shape: of a picture, (H, W, C).
      num_outputs: as of `Doubling`.
      activation: of the hidden layers.
      dtype: of the computation.
    """
    height, width = halvings(shape[:2], len(channels))[-1]

    def in_rows(h: Array) -> Array:  # all means, then all log deviations
        return flat(jnp.moveaxis(h.reshape(len(h), height, width, 2, code_dim), 3, 1))

    of = {"activation": activation, "dtype": dtype}
    last = nn.Dense(2 * code_dim, dtype=dtype)
    encoder = nn.Sequential([Halving(shape, channels, **of), last, in_rows])
    in_grids = lambda z: z.reshape(len(z), height, width, code_dim)  # noqa: E731
    return VAE(Gaussian(encoder), nn.Sequential([in_grids, Doubling(shape, channels, num_outputs, **of)]))


def halvings(size: Sequence[int], num_levels: int) -> list[tuple[int, int]]:
    """Sizes (H, W) of a picture, and after each of its halvings, which round up.

    Raises:
      BadInput: for a halving of a single pixel, and for none.
    """
    if not num_levels:
        raise BadInput("no level of channels: at least one, which halves the picture")
    sizes = [tuple(size)]
    for _ in range(num_levels):
        if max(sizes[-1]) == 1:
            most = len(sizes) - 1
            raise BadInput(
                f"{num_levels} levels of channels halve a picture of {size[0]} x {size[1]} to nothing: at most {most}"
            )
        sizes.append(tuple(-(-n // 2) for n in sizes[-1]))
    return sizes
