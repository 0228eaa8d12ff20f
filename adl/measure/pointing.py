"""Whether a map of places finds a thing: where its largest value lies, and how much of it lies there."""

import chex
import jax.numpy as jnp

from adl.core.types import Array


def pointed(heat: Array, mask: Array) -> Array:
    """`[B]` share of a map's largest values that lie on the thing: 1 or 0, between where several are the largest.

    A map that says nothing, the same everywhere, has the share that a uniform draw has: the thing's area.

    Args:
      heat: `[B, H, W]`.
      mask: `[B, H, W]`, 1 on the thing, 0 elsewhere.
    Source: Zhang et al. 2018, "Top-down neural attention by excitation backprop", arXiv:1608.00507, section 4.2: the
      pointing game, without its tolerance of 15 pixels.
    """
    heat, mask = _flat(heat, mask)
    is_largest = (heat == heat.max(-1, keepdims=True)).astype(jnp.float32)
    share = (is_largest * mask).sum(-1) / jnp.maximum(is_largest.sum(-1), 1)
    return jnp.where(jnp.isnan(heat).any(-1), jnp.nan, share)


def mass_within(heat: Array, mask: Array) -> Array:
    """`[B]` share of a map's sum that lies on the thing, in [0, 1]; of a map that is 0 everywhere the thing's area.

    Args:
      heat: `[B, H, W]` >= 0.
      mask: `[B, H, W]`, 1 on the thing, 0 elsewhere.
    """
    heat, mask = _flat(heat, mask)
    top = heat.max(-1, keepdims=True)
    heat = jnp.where(top > 0, heat / jnp.where(top > 0, top, 1), jnp.where(jnp.isnan(top), jnp.nan, 1.0))
    return (heat * mask).sum(-1) / heat.sum(-1)


def _flat(heat: Array, mask: Array) -> tuple[Array, Array]:
    chex.assert_rank([heat, mask], 3)
    chex.assert_equal_shape([heat, mask])
    return heat.reshape(len(heat), -1), mask.reshape(len(mask), -1).astype(jnp.float32)
