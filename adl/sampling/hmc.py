"""Hamiltonian Monte Carlo: draws by the motion of a particle in the potential -log p, kicked at random.

    H(x, p) = -log p(x) + p' M^-1 p / 2,   dx/dt = M^-1 p,   dp/dt = grad log p(x),   p ~ N(0, M) anew each transition

A position is a vector `[D]`, or any tree of arrays and numbers, which is moved as one (`sampling.position`); a
transition is written for one chain, and for vectors. The algorithms hold C chains with their own warm-up each, along a
leading axis that devices split (`axes=0`): a replicated chain would move by another key on each device. So probes see
all chains of a run, which R-hat compares, and `over_seeds` remains what it is, independent repetitions. Draws come by
`core.trace`, or with their warm-up and diagnostics by `chains.run`.

Sources: Duane et al. 1987, Physics Letters B 195(2); Neal 2011, arXiv:1206.1901; Betancourt 2017, arXiv:1701.02434.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm
from adl.core.types import Array, Key, PyTree
from adl.sampling import adaptation
from adl.sampling.adaptation import Adaptation
from adl.sampling.chains import accepted, log_ratio, side_by_side, supported
from adl.sampling.position import flattening

LogDensity = Callable[[PyTree], Array]  # position -> log p(x) [], up to a constant; -inf outside the support
MAX_ENERGY_ERROR = 1000.0  # a trajectory that is off by more has left the true one (Stan's bound)


class Point(NamedTuple):
    """One point of phase space."""

    position: Array  # [D]
    momentum: Array  # [D]
    log_density: Array  # []
    gradient: Array  # [D] of the log-density


class Info(NamedTuple):
    """What a transition tells of itself."""

    acceptance: Array  # [] in [0, 1], mean acceptance probability of the states that it proposed
    is_divergent: Array  # [] whether the energy error exceeded `MAX_ENERGY_ERROR`
    num_gradients: Array  # [] leapfrog steps that it took


class Chain(NamedTuple):
    """State of C chains; of a position that is a tree, D are all its entries in a row."""

    position: PyTree  # [C, D], or leaves [C, *shape]
    log_density: Array  # [C]
    gradient: Array  # [C, D]
    adaptation: Adaptation  # leaves [C, ...]


# transition(key, log_density, point, step_size, inverse_mass) -> (point, info); the momentum that comes is not read
Transition = Callable[[Key, LogDensity, Point, Array, Array], tuple[Point, Info]]


def at(log_density: LogDensity, position: Array, momentum: Array) -> Point:
    """The point of phase space with a position `[D]` and a momentum `[D]`.

    Outside the support, and where the gradient is not finite, there is no force: any force that depends on the position
    alone leaves the motion reversible, and volumes as they are.
    """
    log_p, gradient = jax.value_and_grad(log_density)(position)
    log_p = supported(log_p)
    gradient = jnp.where(jnp.isfinite(gradient) & (log_p > -jnp.inf), gradient, 0)
    return Point(position, momentum, log_p, gradient)


def velocity(inverse_mass: Array, momentum: Array) -> Array:
    """M^-1 p `[D]`, for a diagonal `[D]` or dense `[D, D]` M^-1."""
    return inverse_mass @ momentum if inverse_mass.ndim == 2 else inverse_mass * momentum


def energy(inverse_mass: Array, point: Point) -> Array:
    """`[]` H = -log p(x) + p' M^-1 p / 2, in nats; inf where it, or the position, is no finite number."""
    value = -point.log_density + 0.5 * point.momentum @ velocity(inverse_mass, point.momentum)
    return jnp.where(jnp.isfinite(point.position).all(), -supported(-value), jnp.inf)


def draw_momentum(key: Key, inverse_mass: Array) -> Array:
    """`[D]` p ~ N(0, M)."""
    noise = jax.random.normal(key, inverse_mass.shape[:1])
    if inverse_mass.ndim == 1:
        return noise * lax.rsqrt(inverse_mass)
    # M^-1 = L L', so that L'^-1 noise has the covariance M.
    return jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(inverse_mass), noise, trans=1, lower=True)


def leapfrog(log_density: LogDensity, point: Point, step_size: Array, inverse_mass: Array) -> Point:
    """The point one step on: half a kick, a drift, half a kick. Reversible, volume-preserving, of second order.

    Args:
      log_density: of the target.
      point: where from.
      step_size: `[]`; negative goes back in time.
      inverse_mass: `[D]` or `[D, D]`.
    Source: Neal 2011, arXiv:1206.1901, eq. 2.28 to 2.30.
    """
    momentum = point.momentum + 0.5 * step_size * point.gradient
    there = at(log_density, point.position + step_size * velocity(inverse_mass, momentum), momentum)
    return there._replace(momentum=momentum + 0.5 * step_size * there.gradient)


def transition(
    key: Key,
    log_density: LogDensity,
    point: Point,
    step_size: Array,
    inverse_mass: Array,
    *,
    num_leapfrog: int,
    jitter: float = 0.2,
) -> tuple[Point, Info]:
    """One transition of Hamiltonian Monte Carlo, which leaves the target invariant.

    accept the end of the trajectory with probability min(1, exp(H(start) - H(end)))

    Args:
      key: consumed.
      log_density: of the target.
      point: where from; its momentum is drawn anew.
      step_size: `[]` > 0.
      inverse_mass: `[D]` or `[D, D]`.
      num_leapfrog: steps of a trajectory, >= 1.
      jitter: in [0, 1); the step size is scaled by U[1 - jitter, 1 + jitter], or trajectories of one length would
        return to their start where the target is nearly Gaussian.
    Source: Neal 2011, arXiv:1206.1901, sec. 3.2; sec. 4.2 on the jitter.
    """
    momentum_key, jitter_key, accept_key = jax.random.split(key, 3)
    start = point._replace(momentum=draw_momentum(momentum_key, inverse_mass))
    step_size = step_size * jax.random.uniform(jitter_key, minval=1 - jitter, maxval=1 + jitter)

    def forward(point, _):
        return leapfrog(log_density, point, step_size, inverse_mass), None

    end, _ = lax.scan(forward, start, length=num_leapfrog)
    gain = log_ratio(-energy(inverse_mass, end), -energy(inverse_mass, start))
    point, acceptance = accepted(accept_key, gain, end, start)
    return point, Info(acceptance, gain < -MAX_ENERGY_ERROR, jnp.asarray(num_leapfrog))


def hmc(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    num_chains: int,
    num_warmup: int,
    num_leapfrog: int,
    step_size: float = 1.0,
    target_acceptance: float = 0.8,
    metric: Literal["diagonal", "dense"] = "diagonal",
) -> Algorithm:
    """Hamiltonian Monte Carlo with trajectories of one length; state is a `Chain`, batches are empty.

    Args:
      log_density: of the target.
      start: `start(key) -> [D]`, or a tree of real arrays: where a chain begins; wider than the target, or R-hat has
        nothing to tell.
      num_chains: C >= 1.
      num_warmup: transitions that adapt, >= 0; with 0 the step size is as given and the mass is 1.
      num_leapfrog: steps of a trajectory, >= 1.
      step_size: > 0, to begin with.
      target_acceptance: in (0, 1), mean acceptance probability that the warm-up aims at.
      metric: what the warm-up estimates for the mass: variances, or the covariance.
    """

    def move(key, log_density, point, step_size, inverse_mass):
        return transition(key, log_density, point, step_size, inverse_mass, num_leapfrog=num_leapfrog)

    return chains(
        log_density,
        start,
        move=move,
        num_chains=num_chains,
        num_warmup=num_warmup,
        step_size=step_size,
        target_acceptance=target_acceptance,
        metric=metric,
    )


def warmed(
    key: Key,
    move: Transition,
    log_density: LogDensity,
    point: Point,
    known: Adaptation,
    *,
    num_warmup: int,
    target_acceptance: float,
) -> tuple[Point, Info, Adaptation]:
    """One transition with what is known of the target, and what is known after it; arguments as in `hmc`.

    Of a chain outside the support a refusal tells nothing of the step size, which stays as wide.
    """
    size = adaptation.step_size(known, num_warmup)
    end, info = move(key, log_density, point, size, known.inverse_mass)
    told = jnp.where(point.log_density > -jnp.inf, info.acceptance, target_acceptance)
    known = adaptation.adapted(known, end.position, told, num_warmup=num_warmup, target=target_acceptance)
    return end, info, known


@flattening
def chains(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    move: Transition,
    num_chains: int,
    num_warmup: int,
    step_size: float,
    target_acceptance: float,
    metric: Literal["diagonal", "dense"],
    place: Callable[[LogDensity, Array, Array], Point] = at,
) -> Algorithm:
    """Chains that move by any transition and warm themselves up; arguments as in `hmc`.

    Metrics, over the chains: "potential" -log p in nats, "acceptance", "divergent" (fraction), "gradients" a
    transition, "step_size". `place` makes the first point; a transition without gradients has another than `at`.
    """

    def begin(key):
        position = start(key)
        point = place(log_density, position, jnp.zeros_like(position))
        unit = jnp.eye(len(position)) if metric == "dense" else jnp.ones_like(position)
        return Chain(position, point.log_density, point.gradient, adaptation.begun(unit, step_size))

    def one(key, chain, batch):
        point = Point(chain.position, jnp.zeros_like(chain.position), chain.log_density, chain.gradient)
        point, info, known = warmed(
            key,
            move,
            log_density,
            point,
            chain.adaptation,
            num_warmup=num_warmup,
            target_acceptance=target_acceptance,
        )
        metrics = {
            "potential": -point.log_density,
            "acceptance": info.acceptance,
            "divergent": info.is_divergent.astype(float),
            "gradients": info.num_gradients.astype(float),
            "step_size": adaptation.step_size(chain.adaptation, num_warmup),
        }
        return Chain(point.position, point.log_density, point.gradient, known), metrics

    return side_by_side(begin, one, num_chains=num_chains)
