"""Pictures cut into cells, whose pixels become channels: a small network then looks at few places."""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array


def in_cells(x: Array, side: int) -> Array:
    """`[B, ceil(H / side), ceil(W / side), side side C]` of pictures `[B, H, W, C]`, zeros beyond their ends."""
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, -height % side), (0, -width % side), (0, 0)))
    rows, columns = x.shape[1] // side, x.shape[2] // side
    x = x.reshape(batch, rows, side, columns, side, channels).swapaxes(2, 3)
    return x.reshape(batch, rows, columns, -1)


class ScaleShift(nn.Module):
    """A gain and an offset for each channel, where others normalise: a network of few blocks learns without, and on a
    CPU its normalisations cost more than its convolutions.
    """

    dtype: jnp.dtype = jnp.float32  # of the computation

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., C]` of `x` `[..., C]`."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],)).astype(self.dtype)
        shift = self.param("bias", nn.initializers.zeros, (x.shape[-1],)).astype(self.dtype)
        return x * scale.reshape(*[1] * (x.ndim - 1), -1) + shift.reshape(*[1] * (x.ndim - 1), -1)
