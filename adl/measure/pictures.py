"""Features of pictures in which distances are taken, beside the pixels: those of a network that has learned nothing.

Any `features(x) -> [B, D]` will do, of pictures `[B, H, W, C]` in [0, 1]. What carries arrays, as a trained network
does, is a `jax.tree_util.Partial` of them, so that they are arguments of a program and not its constants. A number is
about its features: say their name beside it, and how to make them again.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import carrying

CHANNELS = 64  # of both layers of random features


def random_features(shape: Sequence[int], *, seed: int = 0) -> Partial:
    """`x [B, H, W, C] -> [B, 2 CHANNELS]`: means and maxima over the picture of two random convolutional layers.

    3 x 3 kernels of He's variance, every second place, rectified. The same for the same shape and seed, wherever.

    Args:
      shape: of a picture, `(H, W, C)`.
      seed: of the kernels.
    Source: on random features for such distances, Naeem et al. 2020, arXiv:2002.09797, section 4.
    """
    keys = jax.random.split(jax.random.key(seed))
    kernels = [
        jax.random.normal(key, (3, 3, fan, CHANNELS)) * jnp.sqrt(2 / (9 * fan))
        for key, fan in zip(keys, (shape[-1], CHANNELS), strict=True)
    ]
    return Partial(_convolved, kernels)


def as_arguments(features: Mapping[str, Callable[[Array], Array]]) -> dict[str, Partial]:
    """The same, each a tree of the arrays that it carries, which a probe may carry in its turn."""
    return {name: carrying(of) for name, of in features.items()}


def _convolved(kernels: list[Array], x: Array) -> Array:
    how = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": lax.Precision.HIGHEST}
    for kernel in kernels:
        x = lax.conv_general_dilated(x, kernel.astype(x.dtype), (2, 2), "SAME", **how)
        x = jax.nn.relu(x)
    return jnp.concatenate([x.mean((1, 2)), x.max((1, 2))], -1)
