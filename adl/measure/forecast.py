"""Forecasts of series: how far quantiles and middles are from what came, and how often it is between them.

Q quantiles at the levels (q - 1/2) / Q, q = 1 ... Q, say as much as Q outcomes that are equally likely: the score of
such an ensemble, its CRPS, is twice the mean of the quantiles' losses.
"""

import chex
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, Mean


def quantile_levels(num: int) -> np.ndarray:
    """`[Q]` levels (q - 1/2) / Q, q = 1 ... Q = `num`, float32: 0.05, 0.15 ... 0.95 of ten."""
    return ((np.arange(num) + 0.5) / num).astype(np.float32)


def pinball(quantile: Array, y: Array, level: Array) -> Array:
    """`[...]` losses, least in the mean at the quantile of that level: max(level (y - q), (level - 1) (y - q)).

    Args:
      quantile: `[...]` q, what was said.
      y: `[...]` what came.
      level: `[...]` in (0, 1).
    Source: Koenker & Bassett 1978, Econometrica 46(1), eq. 2.
    """
    above = y - quantile
    return jnp.maximum(level * above, (level - 1) * above)


def crps(quantiles: Array, y: Array) -> Array:
    """`[...]` continuous ranked probability score of Q equally likely outcomes, in the unit of y; the lower the better.

    integral (F(z) - 1{y <= z})^2 dz = E|X - y| - E|X - X'| / 2 = 2 mean_q pinball(x_(q), y, (q - 1/2) / Q)

    Args:
      quantiles: `[..., Q]`, in any order.
      y: `[...]` what came.
    Source: Gneiting & Raftery 2007, JASA 102, eq. 20 and 21; of quantiles: Bröcker 2012, QJRMS 138, section 3.
    """
    chex.assert_equal_shape([quantiles[..., 0], y])
    levels = quantile_levels(quantiles.shape[-1]).reshape((1,) * y.ndim + (-1,))
    return 2 * pinball(jnp.sort(quantiles, -1), y[..., None], levels).mean(-1)


def seasonal_scale(past: Array, period: int) -> Array:
    """`[N]` mean of |y_t - y_{t - m}| over what was seen `past [N, C]`: how far a season is from the last one.

    Args:
      past: of C > m steps.
      period: m >= 1; 1: from one step to the next.
    Source: Hyndman & Koehler 2006, International Journal of Forecasting 22(4), section 3.
    """
    chex.assert_rank(past, 2)
    return jnp.abs(past[:, period:] - past[:, :-period]).mean(-1)


def forecast_scores(quantiles: Array, past: Array, future: Array, *, period: int, weight: Array | None = None) -> dict:
    """What is said of forecasts, over windows and steps ahead.

    Args:
      quantiles: `[N, H, Q]` at `quantile_levels(Q)`, in any order.
      past: `[N, C]` what was seen.
      future: `[N, H]` what came.
      period: steps of a season, as in `seasonal_scale`.
      weight: `[N]` >= 0 of the windows; None: 1.
    Returns:
      `Mean`s `mase`, the mean absolute error of the medians over `seasonal_scale`, and `scrps`, `crps` over the same,
      both 1 of what is as far off as a season from the last, windows that repeat themselves exactly left out;
      `coverage`, how often what came is between the outermost quantiles (at best 1 - 1 / Q).
    """
    chex.assert_equal_shape([quantiles[..., 0], future])
    weight = jnp.ones(len(past)) if weight is None else weight
    scale = seasonal_scale(past, period)
    varies = weight * (scale > 0)
    unit = jnp.where(scale > 0, scale, 1)[:, None]
    error = jnp.abs(jnp.median(quantiles, -1) - future) / unit
    return {
        "mase": Mean.of(error.mean(-1), varies),
        "scrps": Mean.of((crps(quantiles, future) / unit).mean(-1), varies),
        "coverage": Mean.of(covered(quantiles, future).mean(-1), weight),
    }


def covered(quantiles: Array, y: Array) -> Array:
    """`[...]`, 1 where `y [...]` is between the lowest and the highest of `quantiles [..., Q]`, else 0."""
    return ((quantiles.min(-1) <= y) & (y <= quantiles.max(-1))).astype(jnp.float32)
