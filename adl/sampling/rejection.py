"""Rejection sampling: draws from another density, kept in proportion to how far the target fills it.

    x ~ q,   keep with probability p(x) / (M q(x)),   p <= M q

What is kept has the density p exactly; it takes M / Z tries a draw, Z the integral of p.
Source: von Neumann 1951, National Bureau of Standards Applied Mathematics Series 12.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key, PyTree

ROUNDING = 1e-3  # nats by which a ratio may exceed its bound


class Kept(NamedTuple):
    """A draw, and what it took."""

    x: PyTree
    num_tries: Array  # []
    excess: Array  # [] largest log p - log q - log M of all tries; above 0 the bound does not hold


def rejection(
    key: Key,
    log_density: Callable[[PyTree], Array],
    draw: Callable[[Key], PyTree],
    log_proposal: Callable[[PyTree], Array],
    *,
    log_bound: Array | float,
) -> Kept:
    """One exact draw; `jax.vmap` over keys for many.

    Where a try shows that the bound does not hold, or a density is not a number, no draw is exact: its numbers are nan.

    Args:
      key: consumed.
      log_density: log p(x) `[]` of the target, up to a constant.
      draw: `draw(key) -> x` from the proposal.
      log_proposal: log q(x) `[]`.
      log_bound: `[]` log M >= log p(x) - log q(x) everywhere; where it is inf the draw is nan.
    """
    is_bound = jnp.asarray(log_bound) < jnp.inf

    def attempt(state):
        kept, _ = state
        draw_key, keep_key = jax.random.split(jax.random.fold_in(key, kept.num_tries))
        x = draw(draw_key)
        excess = log_density(x) - log_proposal(x) - log_bound
        is_kept = -jax.random.exponential(keep_key) < excess
        is_over = is_kept | jnp.isnan(excess) | ~is_bound
        return Kept(x, kept.num_tries + 1, jnp.maximum(kept.excess, excess)), is_over

    first = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(draw, key))
    start = Kept(first, jnp.zeros((), jnp.int32), jnp.full((), -jnp.inf))
    kept, _ = lax.while_loop(lambda state: ~state[1], attempt, (start, jnp.zeros((), bool)))
    is_exact = (kept.excess <= ROUNDING) & is_bound

    def told(leaf):
        return jnp.where(is_exact, leaf, jnp.nan) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return kept._replace(x=jax.tree.map(told, kept.x))
