"""Regression: how far forecasts of numbers are from what came, and how probable they took it to be."""

import math

import chex
import jax.numpy as jnp

from adl.core.types import Array, Mean


def rmse(mean: Array, y: Array, unit: float = 1.0) -> Array:
    """`[]` root of the mean squared error of forecasts `mean [N]` of outcomes `y [N]`, times their `unit`."""
    chex.assert_rank([mean, y], 1)
    chex.assert_equal_shape([mean, y])
    return unit * jnp.sqrt(jnp.square(mean - y).mean())


def scores(log_prob: Array, mean: Array, y: Array, *, unit: float = 1.0) -> dict[str, Mean]:
    """What is usually said of probabilistic regression, in the unit of the table.

    Args:
      log_prob: `[N]` log density of each outcome, of those in units of `unit`, in nats.
      mean: `[N]` what was expected of each.
      y: `[N]` outcomes.
      unit: > 0, of y: its standard deviation where y is standardised.
    Returns:
      `loss`, the negative log density in nats, of outcomes in their own unit; `rmse`, in that unit.
    """
    chex.assert_equal_shape([log_prob, mean, y])
    return {"loss": Mean.of(-(log_prob - math.log(unit))), "rmse": Mean.of(rmse(mean, y, unit))}
