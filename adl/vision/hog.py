"""Histograms of oriented gradients: how much of an edge, in which direction, in each cell of a picture.

Made by hand, and the best features there were before they were learned: direction is kept, place within a cell is
not, nor is contrast.
"""

import chex
import jax
import jax.numpy as jnp
from jax import Array

EPSILON, CLIP = 1e-5, 0.2  # of the normalisation. Source: Dalal & Triggs 2005, section 6.4: L2-Hys


def cell_histograms(image: Array, *, num_bins: int = 9, cell: int = 8) -> Array:
    """`[B, floor(H / cell), floor(W / cell), num_bins]` gradient magnitudes of each cell by direction, over its pixels.

    Bin k holds directions from 180 k / num_bins degrees on, of an edge whichever of its sides is the lighter one. A
    gradient is the difference of the two neighbours, 0 along an axis at its ends; of several channels the steepest.

    Args:
      image: `[B, H, W, C]` floats; what is left over beyond the last cell is not seen.
      num_bins: of directions.
      cell: sides of a cell, in pixels.
    """
    chex.assert_rank(image, 4)
    down, across = (_differences(image, axis) for axis in (1, 2))
    steepest = (jnp.square(down) + jnp.square(across)).argmax(-1, keepdims=True)
    down, across = (jnp.take_along_axis(x, steepest, -1)[..., 0] for x in (down, across))
    degrees = jnp.rad2deg(jnp.arctan2(down, across)) % 180
    # Rounding can make 180 of a little below 0, which is bin 0.
    bins = jnp.floor(degrees * (num_bins / 180)).astype(jnp.int32) % num_bins
    votes = jnp.hypot(down, across)[..., None] * jax.nn.one_hot(bins, num_bins)
    count, rows, cols = len(image), image.shape[1] // cell, image.shape[2] // cell
    votes = votes[:, : rows * cell, : cols * cell].reshape(count, rows, cell, cols, cell, num_bins)
    return votes.mean((2, 4))


def oriented_gradients(image: Array, *, num_bins: int = 9, cell: int = 8, block: int = 2) -> Array:
    """`[B, R, S, block, block, num_bins]` histograms of the cells of each block, normalised: HOG.

    h <- h / sqrt(|h|^2 + eps^2), clipped at 0.2, and again, of all of a block; blocks are a cell apart, so that
    R = floor(H / cell) - block + 1 and a cell is in up to block^2 of them.

    Args:
      image: `[B, H, W, C]` floats, of `block * cell` pixels or more along each side.
      num_bins: of directions.
      cell: sides of a cell, in pixels.
      block: sides of a block, in cells.
    Raises:
      AssertionError: at trace time, if a picture has no block.
    Source: Dalal & Triggs 2005, CVPR, sections 4 and 6; without their Gaussian window and interpolation between bins.
    """
    cells = cell_histograms(image, num_bins=num_bins, cell=cell)
    rows, cols = (number - block + 1 for number in cells.shape[1:3])
    chex.assert_scalar_positive(min(rows, cols))
    parts = [[cells[:, i : i + rows, j : j + cols] for j in range(block)] for i in range(block)]
    blocks = jnp.stack([jnp.stack(line, 3) for line in parts], 3)
    return _normalised(jnp.minimum(_normalised(blocks), CLIP))


def _normalised(blocks: Array) -> Array:
    return blocks / jnp.sqrt(jnp.square(blocks).sum((3, 4, 5), keepdims=True) + EPSILON**2)


def _differences(image: Array, axis: int) -> Array:
    """x[t + 1] - x[t - 1] along an axis, 0 at its ends."""
    inner = jax.lax.slice_in_dim(image, 2, None, axis=axis) - jax.lax.slice_in_dim(image, 0, -2, axis=axis)
    return jnp.pad(inner, [(1, 1) if i == axis else (0, 0) for i in range(image.ndim)])
