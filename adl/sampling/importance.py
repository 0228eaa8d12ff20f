"""Importance sampling: draws from one density that count for another by their weights.

    w_i = p(x_i) / q(x_i),   E_p f ~ sum_i w_i f(x_i) / sum_i w_i,   Z ~ sum_i w_i / N,   x_i ~ q

The estimate of Z is unbiased, the self-normalised mean is consistent. Resampling by the weights gives draws that count
alike (sampling-importance-resampling), as good as the weights are even.
Sources: Kahn & Marshall 1953, Journal of the Operations Research Society of America 1(5); Rubin 1988, Bayesian
Statistics 3.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key, PyTree
from adl.prob.special import safe_log
from adl.sampling.resampling import Scheme, resample, taken


class Weighted(NamedTuple):
    """N draws, and how much each counts."""

    x: PyTree  # leaves [N, ...]
    log_weight: Array  # [N], not normalised


def importance(
    key: Key,
    log_density: Callable[[PyTree], Array],
    draw: Callable[[Key], PyTree],
    log_proposal: Callable[[PyTree], Array],
    *,
    num_samples: int,
) -> Weighted:
    """Weighted draws of a target.

    Args:
      key: consumed.
      log_density: log p(x) `[]`, up to a constant, whose log is what `log_normaliser` estimates.
      draw: `draw(key) -> x` from the proposal, which must be positive wherever the target is.
      log_proposal: log q(x) `[]`, normalised.
      num_samples: N >= 1.
    """
    x = jax.vmap(draw)(jax.random.split(key, num_samples))
    log_p, log_q = jax.vmap(log_density)(x), jax.vmap(log_proposal)(x)
    # What the target excludes counts nothing, even where the proposal's density rounds to 0 or has a pole.
    return Weighted(x, jnp.where(log_p > -jnp.inf, log_p - log_q, log_p))


def mean(weighted: Weighted, values: Array) -> tuple[Array, Array]:
    """Self-normalised mean `[...]` of `values` `[N, ...]` under the target, and its standard error `[...]`.

    sum_i w_i v_i,   sqrt(sum_i w_i^2 (v_i - mean)^2),   w normalised

    A draw without weight counts nothing, whatever its value. Of one draw that has all the weight the error is nan, and
    of none the mean too.

    Source: Owen 2013, Monte Carlo theory, methods and examples, eq. 9.9.
    """
    weight = jax.nn.softmax(weighted.log_weight).reshape(-1, *[1] * (values.ndim - 1))
    values = jnp.where(weight == 0, 0, values)
    average = (weight * values).sum(0)
    error = weight * (values - average[None])
    # In units of the largest, whose square may be too large or too small.
    unit = lax.stop_gradient(jnp.abs(error).max(0))
    size = unit * jnp.sqrt(jnp.square(error / jnp.where(unit > 0, unit, 1)[None]).sum(0))
    return average, jnp.where((weight > 0).sum() > 1, size, jnp.nan)


def log_normaliser(log_weight: Array) -> Array:
    """log of the mean weight `[]` of `[N]`: of Z, without bias in Z itself; -inf where no draw has weight."""
    top = _top(log_weight)
    return top + safe_log(jnp.exp(log_weight - top).mean())


def log_normaliser_error(log_weight: Array) -> Array:
    """Standard error `[]` of `log_normaliser`, to first order: that of the mean weight over the mean weight."""
    weight = jnp.exp(log_weight - _top(log_weight))
    return weight.std(ddof=1) / weight.mean() / jnp.sqrt(len(weight))


def effective_size(log_weight: Array) -> Array:
    """`[]` in [1, N]: equally weighted draws that are worth as much, (sum w)^2 / sum w^2; nan where none has weight.

    Source: Kong, Liu & Wong 1994, JASA 89(425).
    """
    weight = jnp.exp(log_weight - _top(log_weight))
    return jnp.square(weight.sum()) / jnp.square(weight).sum()


def _top(log_weight: Array) -> Array:
    """The largest, `[]`, no gradient; 0 where that is not finite."""
    top = lax.stop_gradient(log_weight.max())
    return jnp.where(jnp.isfinite(top), top, 0)


def resampled(key: Key, weighted: Weighted, num_samples: int, *, scheme: Scheme = "systematic") -> PyTree:
    """Sampling-importance-resampling: draws, leaves `[num_samples, ...]`, that count alike; of no weight, nan."""
    index = resample(key, weighted.log_weight, num_samples, scheme=scheme)
    return taken(weighted.x, index)
