"""Parallel tempering: replicas of a chain at rising temperatures, which swap places.

    p_b(x) = p_0(x)^(1 - b) p_1(x)^b,   swap neighbours with probability min(1, exp((b_i - b_j) (g(x_j) - g(x_i)))),
    g = log p_1 - log p_0

A hot replica, near to a reference p_0 that is easy, travels between modes; by swaps the cold one learns of them. Even
and odd pairs take turns, which carries a replica through all temperatures faster than pairs at random.
Sources: Geyer 1991, Computing Science and Statistics; the alternation: Syed et al. 2022, arXiv:1905.02939, sec. 3.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm
from adl.core.types import Array, Key, PyTree
from adl.sampling import adaptation
from adl.sampling.adaptation import Adaptation
from adl.sampling.annealed import geometric
from adl.sampling.chains import acceptance, side_by_side, supported
from adl.sampling.hmc import LogDensity, Transition, at, warmed
from adl.sampling.position import flattening


class Replicas(NamedTuple):
    """State of C chains of K replicas."""

    position: PyTree  # leaves [C, K, *shape], the last is the target's
    gain: Array  # [C, K] log p_1 - log p_0 there
    adaptation: Adaptation  # leaves [C, K, ...]; it stays with the temperature


@flattening
def parallel_tempering(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    log_reference: LogDensity,
    inverse_temperatures: Array,
    move: Transition,
    num_chains: int,
    num_warmup: int,
    step_size: float = 1.0,
    target_acceptance: float = 0.8,
) -> Algorithm:
    """Chains of replicas that warm themselves up, each temperature for itself; state is `Replicas`, batches are empty.

    Draws are `coldest(state)`.
    Metrics, over the chains: "potential" -log p_1 in nats of the coldest replica, "acceptance" of all, "swap", the
    mean probability of a swap between neighbours.

    Args:
      log_density: log p_1 of the target, up to a constant.
      start: as in `hmc.hmc`, where a replica begins.
      log_reference: log p_0, up to a constant, of a density that the transition explores easily.
      inverse_temperatures: `[K]` b in [0, 1], rising, the last 1; K >= 2.
      move: any transition: `metropolis.transition`, or one of `hmc`, `nuts` with its options.
      num_chains: C >= 1.
      num_warmup: as in `hmc.hmc`.
      step_size: > 0, to begin with.
      target_acceptance: in (0, 1) that the warm-up aims at, of each temperature.
    """
    b = jnp.asarray(inverse_temperatures, float)
    num = len(b)

    def gain(position):
        return supported(log_density(position)) - supported(log_reference(position))

    def begin(key):
        position = jax.vmap(start)(jax.random.split(key, num))
        known = jax.vmap(lambda x: adaptation.begun(jnp.ones_like(x), step_size))(position)
        return Replicas(position, jax.vmap(gain)(position), known)

    def one(key, state, batch):
        move_key, swap_key = jax.random.split(key)

        def replica(key, b, position, known):
            path = geometric(log_reference, log_density, b)
            point = at(path, position, jnp.zeros_like(position))
            return warmed(key, move, path, point, known, num_warmup=num_warmup, target_acceptance=target_acceptance)

        point, info, known = jax.vmap(replica)(jax.random.split(move_key, num), b, state.position, state.adaptation)
        gains = jax.vmap(gain)(point.position)
        order, probability = swaps(swap_key, b, gains, state.adaptation.count[0] % 2)
        metrics = {
            "potential": -log_density(point.position[order[-1]]),
            "acceptance": info.acceptance.mean(),
            "swap": probability.mean(),
        }
        return Replicas(point.position[order], gains[order], known), metrics

    return side_by_side(begin, one, num_chains=num_chains)


def coldest(state: Replicas) -> PyTree:
    """Positions, leaves `[..., C, *shape]`, of the replicas that are the target's."""
    return jax.tree.map(lambda x: jnp.take(x, -1, axis=state.gain.ndim - 1), state.position)


def swaps(key: Key, inverse_temperatures: Array, gain: Array, parity: Array) -> tuple[Array, Array]:
    """Which replica `[K]` each temperature goes on with, and the probability `[K - 1]` of each pair's swap.

    Args:
      key: consumed.
      inverse_temperatures: `[K]`.
      gain: `[K]` log p_1 - log p_0 of the replicas.
      parity: `[]` 0 or 1: pairs (k, k + 1) with k of that parity may swap.
    """
    b, pair = inverse_temperatures, jnp.arange(len(gain) - 1)
    probability = acceptance((b[1:] - b[:-1]) * (gain[:-1] - gain[1:]))
    is_swapped = (jax.random.uniform(key, pair.shape) < probability) & (pair % 2 == parity)
    up = jnp.concatenate([is_swapped, jnp.zeros(1, bool)]).astype(jnp.int32)
    return jnp.arange(len(gain)) + up - jnp.roll(up, 1), probability
