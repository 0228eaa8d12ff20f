"""Draws of large counts: a uniform number, stretched to the shape of a bell, kept as often as its probability says.

JAX's take the probability from logarithms of factorials, of which float32 leaves little from some 1e5 on: their
variance is 2 % too large at a rate of 1e6, and half as large again at 1e8. Here it is `prob.special`'s.
Sources: Hörmann 1993, Insurance: Mathematics and Economics 12(1), algorithm PTRS; Hörmann 1993, Journal of Statistical
Computation and Simulation 46(1-2), algorithm BTRS.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key
from adl.prob.special import log_multinomial, log_poisson

FEW = 10.0  # of smaller means, counts are added up one by one
MOST = 2.0**31 - 2.0**7  # the largest number of float32 that int32 holds


class _Bell(NamedTuple):
    """k = floor((2 a / (1/2 - |u|) + b) u + centre), and what its probability is compared with."""

    a: Array
    b: Array
    centre: Array
    log_scale: Array
    sure: Array  # of v, below which a k near the centre is always kept


def draw_poisson(key: Key, rate: Array, shape: tuple[int, ...]) -> Array:
    """`[*shape]` int32 of Poisson variables; -1 where a count is more than int32 holds.

    Args:
      key: consumed.
      rate: broadcastable to the shape, >= 0.
      shape: of the draws.
    """
    few_key, key = jax.random.split(key)
    rate = jnp.broadcast_to(lax.stop_gradient(jnp.asarray(rate, jnp.float32)), shape)
    many = jnp.where(rate >= FEW, rate, FEW)
    b = 0.931 + 2.53 * jnp.sqrt(many)
    bell = _Bell(-0.059 + 0.02483 * b, b, many + 0.43, jnp.log(1.1239 + 1.1328 / (b - 3.4)), 0.9277 - 3.6224 / (b - 2))
    drawn = _rejected(key, bell, lambda k: log_poisson(k, many), jnp.inf, shape)
    few = jax.random.poisson(few_key, jnp.where(rate < FEW, rate, 0), shape)
    return jnp.where(rate < FEW, few, jnp.where(rate < jnp.inf, _counted(drawn), -1))


def draw_binomial(key: Key, num: Array, p: Array, shape: tuple[int, ...]) -> Array:
    """`[*shape]` int32, how many of `num` trials succeed; -1 where that is more than int32 holds.

    Args:
      key: consumed.
      num: `[]` trials, >= 0.
      p: `[]` probability of a success, in [0, 1/2].
      shape: of the draws.
    """
    few_key, key = jax.random.split(key)
    num, p = (lax.stop_gradient(jnp.asarray(v, jnp.float32)) for v in (num, p))
    is_few = num * p < FEW
    n, likely = jnp.where(is_few, 4 * FEW, num), jnp.where(is_few, 0.5, p)
    deviation = jnp.sqrt(n * likely * (1 - likely))
    b = 1.15 + 2.53 * deviation

    def log_prob(k):
        counts = jnp.stack([k, n - k], -1)
        inner = (counts > 0).all(-1, keepdims=True)
        log_edge = k * jnp.log(likely) + (n - k) * jnp.log1p(-likely)
        mean = jnp.where(inner, n * jnp.stack([likely, 1 - likely]), 1)
        return jnp.where(inner[..., 0], log_multinomial(jnp.where(inner, counts, 1), mean), log_edge)

    log_alpha = jnp.log((2.83 + 5.1 / b) * deviation)
    bell = _Bell(
        -0.0873 + 0.0248 * b + 0.01 * likely,
        b,
        n * likely + 0.5,
        log_alpha + log_prob(jnp.floor((n + 1) * likely)),
        0.92 - 4.2 / b,
    )
    drawn = _rejected(key, bell, log_prob, n, shape)
    few = jax.random.binomial(few_key, jnp.where(is_few, num, 0), jnp.where(is_few, p, 0), shape)
    return jnp.where(num * p <= MOST, jnp.where(is_few, few.astype(jnp.int32), _counted(drawn)), -1)


def _rejected(key: Key, bell: _Bell, log_prob: Callable[[Array], Array], most: Array | float, shape: tuple[int, ...]):
    """`[*shape]` floats k."""

    def retry(carry):
        key, k, kept = carry
        key, u_key, v_key = jax.random.split(key, 3)
        u = jax.random.uniform(u_key, shape) - 0.5
        v = jax.random.uniform(v_key, shape, minval=jnp.finfo(jnp.float32).tiny)
        room = jnp.maximum(0.5 - jnp.abs(u), jnp.finfo(jnp.float32).eps / 2)
        new = jnp.floor((2 * bell.a / room + bell.b) * u + bell.centre)
        inside = (new >= 0) & (new <= most)
        log_ratio = jnp.log(v) + bell.log_scale - jnp.log(bell.a / jnp.square(room) + bell.b)
        is_good = inside & (((room >= 0.07) & (v <= bell.sure)) | (log_ratio <= log_prob(jnp.where(inside, new, 1))))
        return key, jnp.where(kept, k, new), kept | is_good

    first = (key, jnp.full(shape, -1.0), jnp.broadcast_to(~jnp.isfinite(bell.centre), shape))
    return lax.while_loop(lambda carry: ~carry[2].all(), retry, first)[1]


def _counted(x: Array) -> Array:
    return jnp.where(x <= MOST, x, -1).astype(jnp.int32)
