"""Chains side by side: what one chain does, for many along a leading axis that devices split."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Mean, tree
from adl.core.types import Array, Key, PyTree, State


class Walker(NamedTuple):
    """State of C chains that need no more than where they are."""

    position: PyTree  # leaves [C, ...]
    log_density: Array  # [C]


def side_by_side(
    begin: Callable[[Key], State],
    move: Callable[[Key, State, PyTree], tuple[State, Mapping[str, Array]]],
    *,
    num_chains: int,
) -> Algorithm:
    """C chains that know nothing of each other; each reported value becomes a mean over them.

    Args:
      begin: `begin(key) -> state` of one chain.
      move: `move(key, state, batch) -> (state, {name: []})` of one chain; all see the same batch.
      num_chains: C >= 1.
    Source: none, what moves is the caller's.
    """

    def init(key, batch):
        return jax.vmap(begin)(jax.random.split(key, num_chains))

    def step(key, state, batch):
        # As many as are here: a device holds its share of the chains.
        keys = jax.random.split(key, jax.tree.leaves(state)[0].shape[0])
        state, metrics = jax.vmap(move, (0, 0, None))(keys, state, batch)
        return state, {name: Mean.of(values) for name, values in metrics.items()}

    return Algorithm(init, step, axes=0)


def supported(log_density: Array) -> Array:
    """`[...]` a log-density where it is one: -inf, which no chain stays at, where it is +inf or not a number."""
    return jnp.where(log_density < jnp.inf, log_density, -jnp.inf)


def log_ratio(there: Array, here: Array) -> Array:
    """`[...]` log p(there) - log p(here) by which a chain moves, from `supported` log-densities.

    From outside the support, where a chain may begin, any point inside is taken, and none outside: inf - inf refuses.
    """
    there, here = supported(there), supported(here)
    inside = jnp.where(there > -jnp.inf, jnp.inf, -jnp.inf)
    return jnp.where(here > -jnp.inf, there - here, inside)


def acceptance(log_ratio: Array) -> Array:
    """`[...]` min(1, exp(log_ratio)), 0 where it is not a number.

    Source: Metropolis et al. 1953, Journal of Chemical Physics 21(6); Hastings 1970, Biometrika 57(1).
    """
    return jnp.exp(jnp.minimum(jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio), 0))


def accepted(key: Key, log_ratio: Array, new: State, old: State) -> tuple[State, Array]:
    """`new` with the probability `acceptance(log_ratio)`, else `old`; and that probability `[]`."""
    probability = acceptance(log_ratio)
    return tree.where(jax.random.uniform(key) < probability, new, old), probability
