"""Pooling: of places, to fewer."""

from collections.abc import Sequence

import chex
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array


def max_pool(x: Array, window: int, stride: int, *, padding: int = 0) -> Array:
    """`[B, floor((H + 2 padding - window) / stride) + 1, ..., C]`, the largest of each window of `x` `[B, H, W, C]`.

    Args:
      x: pictures.
      window: sides of the window.
      stride: places from one window to the next.
      padding: places that are put around the picture, and are never the largest.
    """
    chex.assert_rank(x, 4)
    return nn.max_pool(x, (window, window), (stride, stride), [(padding, padding)] * 2)


def mean_pool(x: Array, window: int) -> Array:
    """`[B, floor(H / window), floor(W / window), C]`, means of windows side by side of `x` `[B, H, W, C]`.

    Args:
      x: pictures; what is left over at the end of an axis is not seen.
      window: sides of the window.
    """
    chex.assert_rank(x, 4)
    size, height, width, channels = x.shape
    x = x[:, : height // window * window, : width // window * window]
    return x.reshape(size, height // window, window, width // window, window, channels).mean((2, 4))


def adaptive_mean(x: Array, size: Sequence[int]) -> Array:
    """`[B, *size, C]` means of windows that cover `x` `[B, H, W, C]`, whatever its size: PyTorch's `AdaptiveAvgPool2d`.

    Window i of n along an axis of H goes from floor(i H / n) to ceil((i + 1) H / n).

    Args:
      x: pictures, of at least one pixel.
      size: of the result.
    """
    chex.assert_rank(x, 4)
    rows, cols = (_shares(whole, parts).astype(x.dtype) for whole, parts in zip(x.shape[1:3], size, strict=True))
    return jnp.einsum("bhwc,ih,jw->bijc", x, rows, cols)


def _shares(whole: int, parts: int) -> np.ndarray:
    """`[parts, whole]`, what each place counts in the mean of each window."""
    first = np.arange(parts) * whole // parts
    last = -(-(np.arange(parts) + 1) * whole // parts)
    place = np.arange(whole)
    inside = (place >= first[:, None]) & (place < last[:, None])
    return inside / inside.sum(1, keepdims=True)
