"""Resampling: indices drawn in proportion to weights, by four schemes that differ in how their counts scatter.

All are unbiased, E count_i = n w_i. One uniform number decides a multinomial draw; strata of equal width make counts
scatter less; the systematic scheme shares one number among all strata, so that each count is floor or ceil of n w_i;
the residual scheme takes the floors for sure and draws the rest.
Source: Douc, Cappe & Moulines 2005, arXiv:cs/0507025, section 2.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key, PyTree
from adl.sampling.inversion import lookup

Scheme = Literal["multinomial", "stratified", "systematic", "residual"]


def resample(key: Key, log_weight: Array, n: int, *, scheme: Scheme = "systematic") -> Array:
    """`[n]` indices in 0 ... N - 1, each i on average n w_i times; all N, which is none, where no weight is above 0.

    Args:
      key: consumed.
      log_weight: `[N]`, up to a constant; -inf is never drawn. All -inf, +inf or nan are no weights.
      n: how many.
      scheme: how they scatter.
    """
    weight = jax.nn.softmax(log_weight)
    return jnp.where(jnp.isfinite(weight).all(), SCHEMES[scheme](key, weight, n), len(weight))


def taken(x: PyTree, index: Array) -> PyTree:
    """Rows `index [n]` of leaves `[N, ...]`; what is none of them is nan, or the least integer."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0, mode="fill"), x)


def _multinomial(key, weight, n):
    return lookup(weight, jax.random.uniform(key, (n,)))


def _stratified(key, weight, n):
    return lookup(weight, (jnp.arange(n) + jax.random.uniform(key, (n,))) / n)


def _systematic(key, weight, n):
    return lookup(weight, (jnp.arange(n) + jax.random.uniform(key)) / n)


def _residual(key, weight, n):
    expected = n * weight
    floor = jnp.floor(expected)
    kept = jnp.repeat(jnp.arange(len(weight)), floor.astype(jnp.int32), total_repeat_length=n)
    # Where all counts are whole there is no rest, and no draw from it is used.
    rest = _multinomial(key, expected - floor, n)
    return jnp.where(jnp.arange(n) < floor.sum(), kept, rest)


SCHEMES: dict[str, Callable[[Key, Array, int], Array]] = {
    "multinomial": _multinomial,
    "stratified": _stratified,
    "systematic": _systematic,
    "residual": _residual,
}
