"""Filters that people wrote by hand, before they were learned."""

from collections.abc import Callable

import chex
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Probe, PyTree, State
from adl.nn.convolution import convolve

KERNELS = {  # 3x3, of the field's textbooks; they are correlated with a picture, not turned around
    "blur": np.full((3, 3), 1 / 9),
    "sharpen": np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "edges": np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]),  # a Laplacian
    "Sobel x": np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "Sobel y": np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]),
}


def filtered(image: Array, kernel: Array) -> Array:
    """`[B, H, W, C]` each channel's correlation with a kernel; beyond its border a picture is its own mirror image.

    y[b, t, c] = sum over u of kernel[u] x[b, t + u - middle, c]

    Args:
      image: `[B, H, W, C]` floats.
      kernel: `[h, w]`, both odd.
    Raises:
      AssertionError: at trace time, if a side of the kernel is even.
    """
    chex.assert_rank([image, kernel], [4, 2])
    chex.assert_is_divisible(kernel.shape[0] + 1, 2)
    chex.assert_is_divisible(kernel.shape[1] + 1, 2)
    rows, cols = (side // 2 for side in kernel.shape)
    channels = image.shape[-1]
    around = jnp.pad(image, ((0, 0), (rows, rows), (cols, cols), (0, 0)), mode="symmetric")
    each = jnp.repeat(jnp.asarray(kernel, image.dtype)[:, :, None, None], channels, -1)
    return convolve(around, each, padding="VALID", groups=channels)


def responses(image: Array, encode: Callable[[Array], Array], kernels: Callable[[State], Array]) -> Probe:
    """Probe: the kernels of a first layer and those that were made by hand, and what each makes of pictures.

    Args:
      image: `[P, H, W, C]` pictures.
      encode: from pictures to what the layer sees, `[P, H, W, C]`.
      kernels: `[h, w, C, K]` of the layer, of a state.
    Returns:
      `probe(key, state)`: `learned` `[K, h, w, C]` and their `maps` `[P, K, H, W]`; `by_hand` `[5, 3, 3, 1]`, of
      `KERNELS`, and their `by_hand_maps` `[P, 5, H, W]` of grey pictures; and the `image` `[P, H, W, C]` as encoded.
    """

    def probe(image: Array, key: Key, state: State) -> PyTree:
        x, learned = encode(image), kernels(state)
        hand = [jnp.asarray(kernel, x.dtype) for kernel in KERNELS.values()]
        grey = x.mean(-1, keepdims=True)
        return {
            "image": x,
            "learned": jnp.moveaxis(learned, -1, 0),
            "maps": jnp.moveaxis(convolve(x, learned), -1, 1),
            "by_hand": jnp.stack(hand)[..., None],
            "by_hand_maps": jnp.stack([filtered(grey, kernel)[..., 0] for kernel in hand], 1),
        }

    return Partial(probe, image)
