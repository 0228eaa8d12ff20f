"""Annealed importance sampling: weights gathered on a slow way from a density that is known to one that is not.

    p_b(x) = p_0(x)^(1 - b) p_1(x)^b,   log w += (b_k - b_{k-1}) (log p_1 - log p_0)(x_{k-1}),   x_k ~ T_k(. | x_{k-1})

with transitions T_k that leave p_{b_k} invariant. However badly these mix, the mean weight is an unbiased estimate of
the ratio of the integrals; the more steps, the less it scatters.
Source: Neal 2001, Statistics and Computing 11(2), arXiv:physics/9803008, eq. 3 and 7.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from adl.core import Algorithm
from adl.core.types import Array, Key, PyTree
from adl.sampling.chains import side_by_side, supported
from adl.sampling.hmc import LogDensity, Transition, at
from adl.sampling.position import flattening


class Annealed(NamedTuple):
    """State of C chains on their way."""

    position: PyTree  # [C, D], or leaves [C, *shape]
    log_weight: Array  # [C]
    count: Array  # [C] steps so far


def geometric(log_reference: LogDensity, log_density: LogDensity, inverse_temperature: Array) -> LogDensity:
    """log p_b = (1 - b) log p_0 + b log p_1 of a position, for b `[]` in [0, 1]."""

    def path(x):
        # At b = 0 a density of 0 is none yet, and 0 * -inf would be no number.
        b = inverse_temperature
        return jnp.where(b < 1, (1 - b) * log_reference(x), 0.0) + jnp.where(b > 0, b * log_density(x), 0.0)

    return path


@flattening
def annealed_importance(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    log_reference: LogDensity,
    inverse_temperatures: Array,
    move: Transition,
    num_chains: int,
    step_size: float | Callable[[Array], Array],
) -> Algorithm:
    """Chains that walk a schedule; state is an `Annealed`, batches are empty.

    After K steps `importance.log_normaliser(state.log_weight)` is the log of an unbiased estimate of Z_1 / Z_0, and
    `importance.Weighted(state.position, state.log_weight)` are draws of the target. Further steps move at b = 1.
    Metrics, over the chains: "potential" -log p_1 in nats, "acceptance", "inverse_temperature".

    Args:
      log_density: log p_1, up to a constant that is to be found.
      start: `start(key) -> [D]`, or a tree of real arrays: a draw from p_0, exactly.
      log_reference: log p_0, up to a constant that goes into the ratio.
      inverse_temperatures: `[K + 1]` b from 0 to 1, rising.
      move: any transition: `metropolis.transition`, or one of `hmc`, `nuts` with its options.
      num_chains: C >= 1.
      step_size: of the transition, > 0, or a function of b `[]`.
    """
    schedule = jnp.asarray(inverse_temperatures, float)

    def begin(key):
        return Annealed(start(key), jnp.zeros(()), jnp.zeros((), jnp.int32))

    def one(key, state, batch):
        last = len(schedule) - 1
        before, b = (schedule[jnp.minimum(state.count + k, last)] for k in (0, 1))
        gain = supported(log_density(state.position)) - log_reference(state.position)
        # Where b stays, even an infinite gain counts nothing.
        log_weight = state.log_weight + jnp.where(b > before, (b - before) * gain, 0.0)
        path = geometric(log_reference, log_density, b)
        point = at(path, state.position, jnp.zeros_like(state.position))
        eps = step_size(b) if callable(step_size) else jnp.asarray(step_size, float)
        point, info = move(key, path, point, eps, jnp.ones_like(state.position))
        metrics = {
            "potential": -log_density(point.position),
            "acceptance": info.acceptance,
            "inverse_temperature": b,
        }
        return Annealed(point.position, log_weight, state.count + 1), metrics

    return side_by_side(begin, one, num_chains=num_chains)
