"""Pixels as the models want them; inside the step, so that host and transfer see bytes."""

import jax.numpy as jnp

from adl.core.types import Array


def unit(pixels: Array) -> Array:
    """`[...]` float32 in [0, 1] of `[...]` uint8 in 0..255."""
    return pixels.astype(jnp.float32) / 255


def symmetric(pixels: Array) -> Array:
    """`[...]` float32 in [-1, 1] of `[...]` uint8 in 0..255."""
    return pixels.astype(jnp.float32) / 127.5 - 1


def from_symmetric(x: Array) -> Array:
    """`[...]` in [0, 1] of `[...]` in [-1, 1]; what a model has beyond these is clipped."""
    return jnp.clip((x + 1) / 2, 0, 1)
