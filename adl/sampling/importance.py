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

from adl.core.types import Array, Key, PyTree
from adl.sampling.resampling import Scheme, resample


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
    return Weighted(x, jax.vmap(log_density)(x) - jax.vmap(log_proposal)(x))


def mean(weighted: Weighted, values: Array) -> tuple[Array, Array]:
    """Self-normalised mean `[...]` of `values` `[N, ...]` under the target, and its standard error `[...]`.

    sum_i w_i v_i,   sqrt(sum_i w_i^2 (v_i - mean)^2),   w normalised

    Source: Owen 2013, Monte Carlo theory, methods and examples, eq. 9.9.
    """
    weight = jax.nn.softmax(weighted.log_weight).reshape(-1, *[1] * (values.ndim - 1))
    average = (weight * values).sum(0)
    return average, jnp.sqrt((weight**2 * (values - average[None]) ** 2).sum(0))


def log_normaliser(log_weight: Array) -> Array:
    """log of the mean weight `[]` of `[N]`: of Z, without bias in Z itself."""
    return jax.nn.logsumexp(log_weight) - jnp.log(len(log_weight))


def log_normaliser_error(log_weight: Array) -> Array:
    """Standard error `[]` of `log_normaliser`, to first order: that of the mean weight over the mean weight."""
    weight = jnp.exp(log_weight - log_weight.max())
    return weight.std(ddof=1) / weight.mean() / jnp.sqrt(len(weight))


def effective_size(log_weight: Array) -> Array:
    """`[]` in [1, N]: equally weighted draws that are worth as much, (sum w)^2 / sum w^2.

    Source: Kong, Liu & Wong 1994, JASA 89(425).
    """
    return jnp.exp(2 * jax.nn.logsumexp(log_weight) - jax.nn.logsumexp(2 * log_weight))


def resampled(key: Key, weighted: Weighted, num_samples: int, *, scheme: Scheme = "systematic") -> PyTree:
    """Draws, leaves `[num_samples, ...]`, that count alike: sampling-importance-resampling."""
    index = resample(key, weighted.log_weight, num_samples, scheme=scheme)
    return jax.tree.map(lambda leaf: leaf[index], weighted.x)
