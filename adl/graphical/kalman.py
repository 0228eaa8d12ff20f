"""The linear dynamical system: a Gaussian state that moves linearly, and is seen linearly, through noise.

    z_1 ~ N(m, V),   z_{t+1} | z_t ~ N(F z_t + b, Q),   x_t | z_t ~ N(H z_t + d, R)

The filter alternates two rules of `prob.gaussian`: marginal (a step ahead) and posterior (an observation). The smoother
goes back by z_t | z_{t+1}, x_1 ... x_t, which is linear-Gaussian, too. One sequence `[T, E]`; `jax.vmap` makes many.
Sources: Kalman 1960, Journal of Basic Engineering 82(1); Rauch, Tung & Striebel 1965, AIAA Journal 3(8); Bishop 2006,
Pattern Recognition and Machine Learning, section 13.3.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import tree
from adl.core.types import Array, Key
from adl.prob.gaussian import LinearGaussian, MultivariateNormal


class LDS(NamedTuple):
    """A linear dynamical system of D state and E observed dimensions."""

    initial: MultivariateNormal  # of z_1
    dynamics: LinearGaussian  # z_{t+1} | z_t
    emission: LinearGaussian  # x_t | z_t


class Filtered(NamedTuple):
    """What is known of each state from the observations up to its time."""

    filtered: MultivariateNormal  # [T, D], [T, D, D] z_t | x_1 ... x_t
    predicted: MultivariateNormal  # z_t | x_1 ... x_{t-1}
    log_evidence: Array  # [T] log p(x_t | x_1 ... x_{t-1}) in nats, 0 where nothing was observed


class Smoothed(NamedTuple):
    """What is known of each state from all observations."""

    smoothed: MultivariateNormal  # [T, D], [T, D, D] z_t | x
    across: Array  # [T - 1, D, D] Cov[z_{t+1}, z_t | x]
    filtered: Filtered


def forward(system: LDS, x: Array, mask: Array | None = None) -> Filtered:
    """Kalman filter of one sequence, and its evidence.

    Args:
      system: of D and E dimensions.
      x: `[T, E]`.
      mask: `[T]`, 0 where x_t was not observed, whatever it holds; all are by default.
    """
    mask = jnp.ones(len(x)) if mask is None else mask
    observed = range(len(system.initial.loc), len(system.initial.loc) + x.shape[-1])

    def step(predicted, now):
        x, seen = now
        # What is not seen may be nan: it must not reach a gradient.
        x = jnp.where(seen > 0, x, 0)
        joint = system.emission.joint(predicted)
        log_evidence = jnp.where(seen > 0, joint.marginal(observed).log_prob(x), 0)
        filtered = tree.where(seen > 0, joint.conditional(observed, x), predicted)
        return system.dynamics.marginal(filtered), Filtered(filtered, predicted, log_evidence)

    return lax.scan(step, system.initial, (x, mask))[1]


def smooth(system: LDS, x: Array, mask: Array | None = None) -> Smoothed:
    """Rauch-Tung-Striebel smoother of one sequence; arguments as of `forward`."""
    seen = forward(system, x, mask)
    before, last = tree.take(seen.filtered, slice(-1)), tree.take(seen.filtered, -1)

    def step(after, filtered):
        back = system.dynamics.reverse(filtered)
        smoothed = back.marginal(after)
        return smoothed, (smoothed, after.covariance @ back.matrix.T)

    _, (smoothed, across) = lax.scan(step, last, before, reverse=True)
    smoothed = jax.tree.map(lambda rest, last: jnp.concatenate([rest, last[None]]), smoothed, last)
    return Smoothed(smoothed, across, seen)


def constant_velocity(process: float, measurement: float) -> LDS:
    """Position and velocity of x, then of y, second by second; positions are measured.

    Args:
      process: root of the acceleration's spectral density, m / s^1.5; the velocity is a random walk.
      measurement: standard deviation of a measured coordinate, m.
    Source: Bar-Shalom, Li & Kirubarajan 2001, Estimation with Applications to Tracking and Navigation, section 6.2.2.
    """
    both = jnp.eye(2)
    return LDS(
        MultivariateNormal(jnp.zeros(4), jnp.diag(jnp.array([25.0, 1.0, 25.0, 1.0]))),
        LinearGaussian(
            jnp.kron(both, jnp.array([[1.0, 1.0], [0.0, 1.0]])),
            jnp.zeros(4),
            process**2 * jnp.kron(both, jnp.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])),
        ),
        LinearGaussian(jnp.kron(both, jnp.array([[1.0, 0.0]])), jnp.zeros(2), measurement**2 * both),
    )


def sample(key: Key, system: LDS, num_steps: int) -> tuple[Array, Array]:
    """States `[T, D]` and observations `[T, E]` of one sequence of so many steps."""
    first, key = jax.random.split(key)

    def step(state, key):
        see, move = jax.random.split(key)
        return drawn(move, system.dynamics, state), (state, drawn(see, system.emission, state))

    def drawn(key, conditional, given):
        loc = conditional.matrix @ given + conditional.offset
        return MultivariateNormal(loc, conditional.covariance).sample(key)

    return lax.scan(step, system.initial.sample(first), jax.random.split(key, num_steps))[1]


def joint(system: LDS, num_steps: int) -> MultivariateNormal:
    """All states and observations at once, z_1 ... z_T, x_1 ... x_T, `[T D + T E]`: what the filter never writes down.

    The reference that exact inference is held to; its time is cubic in T.
    """
    dim = len(system.initial.loc)
    states = system.initial
    for t in range(1, num_steps):
        last = jnp.zeros((dim, t * dim)).at[:, -dim:].set(system.dynamics.matrix)
        states = system.dynamics._replace(matrix=last).joint(states)
    every = jnp.eye(num_steps)
    seen = LinearGaussian(
        jnp.kron(every, system.emission.matrix),
        jnp.tile(system.emission.offset, num_steps),
        jnp.kron(every, system.emission.covariance),
    )
    return seen.joint(states)
