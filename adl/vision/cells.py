"""Pictures cut into cells, whose pixels become channels: a small network then looks at few places."""

import jax.numpy as jnp
from jax import Array


def in_cells(x: Array, side: int, fold: int | None = None) -> Array:
    """`[B, H' / fold, W' / fold, fold fold C]` of pictures `[B, H, W, C]`, zeros beyond their ends.

    Args:
      x: pictures.
      side: H' and W' are the least multiples of it that reach H and W.
      fold: pixels of a side of what becomes channels, a divisor of `side`; None: all of it.
    """
    fold = side if fold is None else fold
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, -height % side), (0, -width % side), (0, 0)))
    rows, columns = x.shape[1] // fold, x.shape[2] // fold
    x = x.reshape(batch, rows, fold, columns, fold, channels).swapaxes(2, 3)
    return x.reshape(batch, rows, columns, -1)
