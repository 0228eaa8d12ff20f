"""Samplers by sequential Monte Carlo: a population that is weighed, resampled and moved from a reference to a target.

    p_b(x) = p_0(x)^(1 - b) p_1(x)^b,   b from 0 to 1 in steps that keep a share of the population effective

Each step solves for the next b, so that the weights' effective size is as asked; resamples; and moves by transitions
that leave p_b invariant, scaled by the population's own spread. The product of the mean weights estimates Z_1 / Z_0.
Sources: Del Moral, Doucet & Jasra 2006, JRSS B 68(3); adaptive steps: Jasra et al. 2011, Scandinavian Journal of
Statistics 38(1), sec. 3.2; as in Chopin & Papaspiliopoulos 2020, An Introduction to Sequential Monte Carlo, alg. 17.3.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Mean, gathered
from adl.core.types import Array, Key, PyTree
from adl.sampling.annealed import geometric
from adl.sampling.chains import supported
from adl.sampling.hmc import LogDensity, Transition, at
from adl.sampling.importance import effective_size, log_normaliser
from adl.sampling.position import flattening
from adl.sampling.resampling import Scheme, resample, taken


class Population(NamedTuple):
    """State of N particles, which count alike."""

    position: PyTree  # [N, D], or leaves [N, *shape]
    inverse_temperature: Array  # [] b
    log_normaliser: Array  # [] of the estimate of Z_b / Z_0


@flattening
def smc_sampler(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    log_reference: LogDensity,
    move: Transition,
    num_particles: int,
    num_moves: int = 1,
    step_size: float = 1.0,
    share: float = 0.5,
    metric: Literal["unit", "diagonal", "dense"] = "diagonal",
    scheme: Scheme = "systematic",
    axis: str | None = None,
) -> Algorithm:
    """Particles that anneal themselves; state is a `Population`, batches are empty.

    The target is reached when `inverse_temperature` is 1; further steps move there. Devices split the particles: each
    weighs and resamples the whole, by luck that they share, and moves its own.
    Metrics: "potential" -log p_1 in nats, over the particles; "acceptance"; "inverse_temperature".

    Args:
      log_density: log p_1, up to a constant.
      start: `start(key) -> [D]`, or a tree of real arrays: a draw from p_0, exactly.
      log_reference: log p_0, up to a constant that goes into the ratio.
      move: any transition: `metropolis.transition`, or one of `hmc`, `nuts` with its options.
      num_particles: N >= 2.
      num_moves: transitions of a particle a step, >= 1.
      step_size: of the transition, > 0, in standard deviations of the population, or in units of x.
      share: in (0, 1), of the particles that stay effective in a step; larger takes more steps.
      metric: what of the population's spread scales the transitions: nothing, variances, or the covariance.
      scheme: of resampling.
      axis: as in `core.descend`.
    """

    def init(key, batch):
        position = jax.vmap(start)(jax.random.split(key, num_particles))
        return Population(position, jnp.zeros(()), jnp.zeros(()))

    def step(key, state, batch):
        move_key, shared = jax.random.split(key)
        shared = gathered(shared[None], axis)[0]
        gain = jax.vmap(lambda x: supported(log_density(x)) - log_reference(x))(state.position)
        position, gain = gathered((state.position, gain), axis)
        delta = increment(gain, 1 - state.inverse_temperature, share=share)
        b = state.inverse_temperature + delta
        # 0 * -inf is no number; and the last step ends at 1 exactly.
        log_weight = jnp.where(delta > 0, delta * gain, 0.0)
        b = jnp.where(1 - b < 1e-6, 1.0, b)
        spread = _spread(position, jax.nn.softmax(log_weight), metric)
        index = resample(shared, log_weight, len(position), scheme=scheme)
        size = len(state.position)
        first = 0 if axis is None else lax.axis_index(axis) * size
        mine = lax.dynamic_slice_in_dim(index, first, size)
        path = geometric(log_reference, log_density, b)

        def one(key, x):
            def again(point, key):
                return move(key, path, point, jnp.asarray(step_size, float), spread)

            point, info = lax.scan(again, at(path, x, jnp.zeros_like(x)), jax.random.split(key, num_moves))
            return point.position, info.acceptance.mean()

        moved, acceptance = jax.vmap(one)(jax.random.split(move_key, size), taken(position, mine))
        metrics = {
            "potential": Mean.of(-jax.vmap(log_density)(moved)),
            "acceptance": Mean.of(acceptance),
            "inverse_temperature": Mean.of(b),
        }
        return Population(moved, b, state.log_normaliser + log_normaliser(log_weight)), metrics

    return Algorithm(init, step, axes=Population(0, None, None))


def increment(gain: Array, largest: Array, *, share: float, num_steps: int = 30) -> Array:
    """`[]` step of the inverse temperature after which weights exp(step * gain) are worth `share` of their number.

    Particles outside the target, whose gain is -inf, have no weight after any step, and are not counted.

    Args:
      gain: `[N]` log p_1 - log p_0 of the particles.
      largest: `[]` >= 0; the whole of it, if weights are worth as much even then.
      share: in (0, 1).
      num_steps: halvings of the interval.
    """

    def is_worth(delta):
        return effective_size(jnp.where(delta > 0, delta * gain, 0.0)) >= share * (gain > -jnp.inf).sum()

    def halve(ends, _):
        low, high = ends
        middle = 0.5 * (low + high)
        return (jnp.where(is_worth(middle), middle, low), jnp.where(is_worth(middle), high, middle)), None

    (low, _), _ = lax.scan(halve, (jnp.zeros_like(largest), largest), length=num_steps)
    return jnp.where(is_worth(largest), largest, low)


def _spread(position: Array, weight: Array, metric: str) -> Array:
    """Variances `[D]` or covariance `[D, D]` of weighted particles, and a little more, as some may be one; or ones."""
    if metric == "unit":
        return jnp.ones_like(position[0])
    centred = position - (weight[:, None] * position).sum(0)[None]
    if metric == "dense":
        return (weight[:, None] * centred).T @ centred + 1e-6 * jnp.eye(position.shape[1])
    return (weight[:, None] * centred**2).sum(0) + 1e-6
