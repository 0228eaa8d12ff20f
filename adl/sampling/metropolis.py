"""Metropolis and Hastings: propose, and accept by the ratio of the densities there and here.

    x' ~ q(x' | x),   accept with probability min(1, p(x') q(x | x') / (p(x) q(x' | x)))

which makes p(x) T(x' | x) symmetric, whatever q is: detailed balance. Needs no gradient, and no continuous space.
Sources: Metropolis et al. 1953, Journal of Chemical Physics 21(6); Hastings 1970, Biometrika 57(1), eq. 2.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from adl.core import Algorithm
from adl.core.types import Array, Key, PyTree
from adl.sampling.chains import Walker, accepted, log_ratio, side_by_side, supported
from adl.sampling.hmc import Info, LogDensity, Point, chains, draw_momentum, velocity


def metropolis_hastings(
    log_density: Callable[[PyTree], Array],
    start: Callable[[Key], PyTree],
    *,
    propose: Callable[[Key, PyTree], PyTree],
    num_chains: int,
    log_proposal: Callable[[PyTree, PyTree], Array] = lambda to, of: jnp.zeros(()),
) -> Algorithm:
    """Chains with a proposal of one's own; state is a `Walker`, batches are empty.

    Metrics, over the chains: "potential" -log p in nats, "acceptance".

    Args:
      log_density: of the target, over positions of any structure: numbers, integers, several arrays.
      start: `start(key) -> position`, where a chain begins.
      propose: `propose(key, position) -> position`.
      num_chains: C >= 1.
      log_proposal: `log_proposal(to, of) -> []` log q(to | of), up to a constant; by default q is symmetric.
    """

    def begin(key):
        position = start(key)
        return Walker(position, log_density(position))

    def move(key, here, batch):
        propose_key, accept_key = jax.random.split(key)
        position = propose(propose_key, here.position)
        there = Walker(position, log_density(position))
        ratio = log_ratio(there.log_density, here.log_density)
        ratio += log_proposal(here.position, there.position) - log_proposal(there.position, here.position)
        walker, acceptance = accepted(accept_key, ratio, there, here)
        return walker, {"potential": -walker.log_density, "acceptance": acceptance}

    return side_by_side(begin, move, num_chains=num_chains)


def transition(
    key: Key, log_density: LogDensity, point: Point, step_size: Array, inverse_mass: Array
) -> tuple[Point, Info]:
    """One transition of random-walk Metropolis, x' ~ N(x, eps^2 M^-1), which leaves the target invariant.

    Args:
      key: consumed.
      log_density: of the target; no gradient is taken.
      point: where from; momentum and gradient are not read, and come back as zeros.
      step_size: `[]` eps > 0.
      inverse_mass: `[D]` or `[D, D]` M^-1, the proposal's covariance.
    """
    noise_key, accept_key = jax.random.split(key)
    # With p ~ N(0, M), M^-1 p has the covariance M^-1: a drift without force.
    drift = step_size * velocity(inverse_mass, draw_momentum(noise_key, inverse_mass))
    there = standing(log_density, point.position + drift, jnp.zeros_like(point.position))
    here = point._replace(momentum=there.momentum, gradient=there.gradient)
    point, acceptance = accepted(accept_key, log_ratio(there.log_density, here.log_density), there, here)
    return point, Info(acceptance, jnp.zeros((), bool), jnp.zeros((), jnp.int32))


def standing(log_density: LogDensity, position: Array, momentum: Array) -> Point:
    """The point of phase space with a position `[D]` and a momentum `[D]`, and 0 for a gradient that nobody reads."""
    return Point(position, momentum, supported(log_density(position)), jnp.zeros_like(position))


def random_walk(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    num_chains: int,
    num_warmup: int,
    step_size: float = 1.0,
    target_acceptance: float = 0.234,
    metric: Literal["diagonal", "dense"] = "diagonal",
) -> Algorithm:
    """Random-walk Metropolis that warms itself up; state is a `Chain` without gradients, batches are empty.

    Args:
      log_density: of the target; it need not be differentiable.
      start: as in `hmc.hmc`.
      num_chains: C >= 1.
      num_warmup: as in `hmc.hmc`.
      step_size: > 0, to begin with; of independent coordinates 2.38 / sqrt(D) standard deviations are best.
      target_acceptance: in (0, 1), mean acceptance probability that the warm-up aims at; 0.234 is the best in many
        dimensions (Roberts, Gelman & Gilks 1997, Annals of Applied Probability 7(1)), 0.44 in one.
      metric: as in `hmc.hmc`, of the proposal's covariance.
    """
    return chains(
        log_density,
        start,
        move=transition,
        num_chains=num_chains,
        num_warmup=num_warmup,
        step_size=step_size,
        target_acceptance=target_acceptance,
        metric=metric,
        place=standing,
    )
