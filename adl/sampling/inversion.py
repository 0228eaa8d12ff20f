"""The inverse transform: a uniform number through the quantile function has the distribution.

    x = F^-1(u),   u ~ U(0, 1)

In closed form where F^-1 is known, by bisection where only F is, by looking up the cumulative sum where x is discrete.
Source: Devroye 1986, Non-Uniform Random Variate Generation, section II.2.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key


def inverse_transform(key: Key, quantile: Callable[[Array], Array], shape: tuple[int, ...] = ()) -> Array:
    """`[*shape]` draws of the distribution whose quantile function, on (0, 1), is given."""
    return quantile(jax.random.uniform(key, shape, minval=jnp.finfo(jnp.float32).tiny))


def bisection(
    cdf: Callable[[Array], Array], p: Array, *, low: Array | float, high: Array | float, num_steps: int = 32
) -> Array:
    """`[...]` where a distribution function has the values `p`: a quantile function out of any other.

    nan where that is not between the ends. The gradient is that of a search, 0: it is `1 / density` at what was found.

    Args:
      cdf: elementwise, continuous, rising.
      p: `[...]` in (0, 1).
      low: `[]` or `[...]`, below the results, finite.
      high: `[]` or `[...]`, above them, finite.
      num_steps: halvings of the interval; 32 of them leave its rounding in float32.
    """

    def halve(ends, _):
        left, right = ends
        middle = 0.5 * left + 0.5 * right
        is_below = cdf(middle) < p
        return (jnp.where(is_below, middle, left), jnp.where(is_below, right, middle)), None

    ends = (jnp.broadcast_to(jnp.asarray(low, p.dtype), p.shape), jnp.broadcast_to(jnp.asarray(high, p.dtype), p.shape))
    is_between = (cdf(ends[0]) <= p) & (p <= cdf(ends[1]))
    (left, right), _ = lax.scan(halve, ends, length=num_steps)
    return jnp.where(is_between, 0.5 * left + 0.5 * right, jnp.nan)


def lookup(probability: Array, u: Array) -> Array:
    """`[...]` the classes in 0 ... K - 1 that numbers `u` `[...]` in [0, 1) fall into; of probability 0 none.

    K, which is none, where no class has a probability, or one's is not a finite number >= 0.

    Args:
      probability: `[K]` >= 0, up to a constant.
      u: `[...]`; where uniform, classes have these probabilities.
    """
    largest = probability.max()
    is_known = (largest > 0) & jnp.isfinite(probability).all() & (probability >= 0).all()
    cumulative = jnp.cumsum(probability / jnp.where(largest > 0, largest, 1))
    # Times the sum, which rounding keeps from 1; the last class of any probability takes what rounds up to the sum.
    last = jnp.searchsorted(cumulative, cumulative[-1])
    found = jnp.minimum(jnp.searchsorted(cumulative, u * cumulative[-1], side="right"), last)
    return jnp.where(is_known, found, len(probability))
