"""The linear dynamical system: a Gaussian state that moves linearly, and is seen linearly, through noise.

    z_1 ~ N(m, V),   z_{t+1} | z_t ~ N(F z_t + b, Q),   x_t | z_t ~ N(H z_t + d, R)

The filter alternates two rules: a step ahead, and an observation. The smoother goes back by z_t | z_{t+1}, x_1 ... x_t,
which is linear-Gaussian, too. Both carry covariances by their roots (`prob.roots`), from which nothing is subtracted:
right in float32 while a state's standard deviation is at most 10^6 times that of what is left of it, as under a prior
that says nothing. One sequence `[T, E]`; `jax.vmap` makes many.
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
from adl.prob.product import matmul
from adl.prob.roots import compress, conditioned, root_of
from adl.prob.special import HALF_LOG_2PI


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
    noise: Array  # [T - 1, D, D] Cov[w_t | x] of w_t = z_{t+1} - F z_t
    noise_across: Array  # [T - 1, D, D] Cov[w_t, z_t | x]
    filtered: Filtered


class _Known(NamedTuple):
    """A state's distribution."""

    loc: Array  # [D]
    root: Array  # [D, D] whose square is the covariance

    def normal(self) -> MultivariateNormal:
        return MultivariateNormal(self.loc, matmul(self.root, self.root.T))


def forward(system: LDS, x: Array, mask: Array | None = None) -> Filtered:
    """Kalman filter of one sequence, and its evidence.

    Args:
      system: of D and E dimensions; covariances may be singular where what is observed is not.
      x: `[T, E]`.
      mask: `[T]`, 0 where x_t was not observed, whatever it holds; all are by default.
    """
    return _forward(system, x, mask)[0]


def _forward(system: LDS, x: Array, mask: Array | None) -> tuple[Filtered, _Known]:
    """And the filtered states by their roots."""
    mask = jnp.ones(len(x)) if mask is None else mask
    move, see = root_of(system.dynamics.covariance), root_of(system.emission.covariance)

    def step(predicted, now):
        x, seen = now
        # What is not seen may be nan: it must not reach a gradient.
        error = jnp.where(seen > 0, x - _ahead(system.emission, predicted.loc), 0)
        told = conditioned(predicted.root, system.emission.matrix, see)
        surprise = jax.scipy.linalg.solve_triangular(told.seen, error, lower=True)
        scale = jnp.log(jnp.diagonal(told.seen))
        log_p = -(0.5 * jnp.square(surprise) + scale + HALF_LOG_2PI).sum()
        filtered = tree.where(seen > 0, _Known(predicted.loc + matmul(told.gain, error), told.root), predicted)
        ahead = compress(jnp.concatenate([move, matmul(system.dynamics.matrix, filtered.root)], 1))
        found = Filtered(filtered.normal(), predicted.normal(), jnp.where(seen > 0, log_p, 0))
        return _Known(_ahead(system.dynamics, filtered.loc), ahead), (found, filtered)

    start = _Known(system.initial.loc, root_of(system.initial.covariance))
    return lax.scan(step, start, (x, mask))[1]


def smoothed_path(key: Key, system: LDS, x: Array) -> Array:
    """Expected states `[T, D]` of measurements `[T, M]` that are all there; the key is for a common signature."""
    del key
    return smooth(system, x, jnp.ones(len(x))).smoothed.loc


def smooth(system: LDS, x: Array, mask: Array | None = None) -> Smoothed:
    """Rauch-Tung-Striebel smoother of one sequence; arguments as of `forward`."""
    seen, known = _forward(system, x, mask)
    before, last = tree.take(known, slice(-1)), tree.take(known, -1)
    matrix, move = system.dynamics.matrix, root_of(system.dynamics.covariance)

    def step(after, filtered):
        gain, rest, _ = conditioned(filtered.root, matrix, move)
        loc = filtered.loc + matmul(gain, after.loc - _ahead(system.dynamics, filtered.loc))
        # By what is not known of this state even if the next is, and by what is not known of that.
        own = jnp.concatenate([rest, matmul(gain, after.root)], 1)
        left = jnp.eye(len(loc), dtype=loc.dtype) - matmul(matrix, gain)
        noise = jnp.concatenate([-matmul(matrix, rest), matmul(left, after.root)], 1)
        smoothed, across = _Known(loc, compress(own)), matmul(after.normal().covariance, gain.T)
        return smoothed, (smoothed.normal(), across, matmul(noise, noise.T), matmul(noise, own.T))

    _, (smoothed, *pairs) = lax.scan(step, last, before, reverse=True)
    smoothed = jax.tree.map(lambda rest, last: jnp.concatenate([rest, last[None]]), smoothed, last.normal())
    return Smoothed(smoothed, *pairs, seen)


def _ahead(conditional: LinearGaussian, given: Array) -> Array:
    """The mean of what follows from a state."""
    return matmul(conditional.matrix, given) + conditional.offset


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
    # A noise may have no variance along some direction.
    roots = [root_of(part.covariance) for part in system]

    def step(state, key):
        see, move = jax.random.split(key)
        ahead = drawn(move, _ahead(system.dynamics, state), roots[1])
        return ahead, (state, drawn(see, _ahead(system.emission, state), roots[2]))

    def drawn(key, loc, root):
        return loc + matmul(root, jax.random.normal(key, loc.shape))

    return lax.scan(step, drawn(first, system.initial.loc, roots[0]), jax.random.split(key, num_steps))[1]


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
