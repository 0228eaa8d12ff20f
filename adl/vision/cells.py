"""Pictures cut into cells, whose pixels become channels: a small network then looks at few places."""

import jax.numpy as jnp
from jax import Array


def in_cells(x: Array, side: int) -> Array:
    """`[B, ceil(H / side), ceil(W / side), side side C]` of pictures `[B, H, W, C]`, zeros beyond their ends."""
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, -height % side), (0, -width % side), (0, 0)))
    rows, columns = x.shape[1] // side, x.shape[2] // side
    x = x.reshape(batch, rows, side, columns, side, channels).swapaxes(2, 3)
    return x.reshape(batch, rows, columns, -1)
