"""Preference: how often one is better than another, and how surely that is known."""

import chex
import jax.numpy as jnp
from jax import Array

from adl.core.types import Mean


def win_rate(ours: Array, theirs: Array) -> dict[str, Mean]:
    """How often ours are better, ties split, with the ends of an interval of 95 % that is normal.

    Args:
      ours: `[N]` scores.
      theirs: `[N]` of the same questions, each drawn by itself.
    Returns:
      `win`, `win_low` and `win_high`, in [0, 1].
    """
    chex.assert_equal_shape([ours, theirs])
    points = 0.5 + 0.5 * jnp.sign(ours - theirs)
    reach = 1.96 * points.std(ddof=1) / len(points) ** 0.5
    means = {"win": points.mean(), "win_low": points.mean() - reach, "win_high": points.mean() + reach}
    return {name: Mean.of(mean) for name, mean in means.items()}
