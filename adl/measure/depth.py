"""Depth: how far away each pixel is told to be, and is. Depths that are 0, infinite or nan are unknown: left out.

Source: Eigen, Puhrsch & Fergus 2014, "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network",
arXiv:1406.2283, eq. 1 to 4 and section 4.1.
"""

from collections.abc import Mapping

import chex
import jax.numpy as jnp

from adl.core.types import Array, Mean

THRESHOLDS = (1.25, 1.25**2, 1.25**3)


def is_known(true: Array) -> Array:
    """`[...]` bool: where a depth is a number > 0; NumPy's or JAX's."""
    return (true > 0) & (true < float("inf"))


def depth_errors(told: Array, true: Array, weight: Array | None = None) -> dict[str, Mean]:
    """Means that merge by `+` over batches; `finished` makes of them what is usually said.

    Args:
      told: `[B, H, W]` > 0, in metres.
      true: `[B, H, W]` in metres; what is no number > 0 is left out.
      weight: `[B]` in {0, 1}, of each picture; None: 1.
    Returns:
      `relative`, |told - true| / true; `squared`, m^2; `squared_log`, of log told - log true = d; `within_1`,
      `within_2`, `within_3`: whether max(told / true, true / told) < 1.25^k; and, a mean over pictures,
      `scale_invariant`, the variance of d over a picture's pixels, eq. 1: what is left when all are scaled rightly.
    """
    chex.assert_equal_shape([told, true])
    chex.assert_rank(told, 3)
    known = is_known(true)
    counts = known if weight is None else known & (weight > 0)[:, None, None]
    safe = jnp.where(known, true, 1.0)
    log_ratio = jnp.log(told / safe)
    ratio = jnp.exp(jnp.abs(log_ratio))
    # Centred first: E d^2 - (E d)^2 cancels where all of a picture is told too near.
    number = counts.sum((1, 2))
    centre = jnp.where(counts, log_ratio, 0).sum((1, 2)) / jnp.maximum(number, 1)
    off = jnp.where(counts, log_ratio - centre[:, None, None], 0)
    variance = (off**2).sum((1, 2)) / jnp.maximum(number, 1)
    return {
        "relative": Mean.of(jnp.abs(told - safe) / safe, counts),
        "squared": Mean.of((told - safe) ** 2, counts),
        "squared_log": Mean.of(log_ratio**2, counts),
        **{f"within_{k}": Mean.of(ratio < most, counts) for k, most in enumerate(THRESHOLDS, 1)},
        "scale_invariant": Mean.of(variance, number > 0),
    }


def finished(errors: Mapping[str, Mean | Array]) -> dict[str, Mean | Array]:
    """The same where all is merged: `rmse` in metres and `rmse_log` in the place of their squares; the rest stays."""
    found = dict(errors)
    for name, root in {"squared": "rmse", "squared_log": "rmse_log"}.items():
        found[root] = Mean.of(jnp.sqrt(found.pop(name).value))
    return found
