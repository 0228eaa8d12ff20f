"""A Gaussian target, of which all is known: its denoiser, its score, its likelihood, and where samples should be.

D(x; sigma) = m + S (S + sigma^2 I)^-1 (x - m),   score (D - x) / sigma^2,   p_sigma = N(m, S + sigma^2 I)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core import Key, Mean, Probe, State
from adl.diffusion.likelihood import log_likelihood
from adl.diffusion.solver import Denoiser, Solver, heun, sample
from adl.measure.distance import frechet_distance
from adl.measure.rate import power_law
from adl.prob.gaussian import MultivariateNormal

DenoiserOf = Callable[[State], Denoiser]


def path_error(found: Array, want: Array) -> Array:
    """`[]` root mean square distance of points `[B, D]` from where each should be: of solvers without noise."""
    return jnp.sqrt(jnp.square(found - want).sum(-1).mean())


def law_error(found: Array, want: Array) -> Array:
    """`[]` Wasserstein distance between the Gaussians fitted to both `[B, D]`: of solvers that draw noise."""
    return jnp.sqrt(jnp.maximum(frechet_distance(found, want), 0))


class Tried(NamedTuple):
    """A solver under trial."""

    solver: Solver
    calls: int = 1  # of the denoiser, a step
    error: Callable[[Array, Array], Array] = path_error  # `law_error` of one that draws noise


def noised(target: MultivariateNormal, sigma: Array | float) -> MultivariateNormal:
    """The target with noise of standard deviation `sigma []` on it."""
    return target._replace(covariance=target.covariance + sigma**2 * jnp.eye(len(target.loc)))


def exact_denoiser(target: MultivariateNormal) -> Denoiser:
    """`(x [B, D], sigma [] or [B]) -> [B, D]`: what is to be expected of the data, by the covariance's axes."""
    variance, axes = jnp.linalg.eigh(target.covariance)

    def denoise(x, sigma):
        share = variance[None] / (variance[None] + jnp.square(jnp.reshape(sigma, (-1, 1))))
        return target.loc[None] + ((x - target.loc[None]) @ axes * share) @ axes.T

    return denoise


def score_error(denoiser: Denoiser, exact: Denoiser, x: Array, sigma: Array | float) -> Array:
    """`[]` how far a score is from the exact one: E |s - s*|^2 / E |s*|^2, 0 where it is exact, 1 of a score of 0.

    Args:
      denoiser: of which the score is (D - x) / sigma^2.
      exact: that of the exact one.
      x: `[B, D]` data with noise, over which the means are taken.
      sigma: > 0, the noise's standard deviation.
    """
    want = exact(x, jnp.asarray(sigma))
    return jnp.square(denoiser(x, jnp.asarray(sigma)) - want).sum() / jnp.square(want - x).sum()


def exact_flow(target: MultivariateNormal, x: Array, sigma: Array | float, sigma_next: Array | float) -> Array:
    """`[B, D]` where the probability flow carries `x [B, D]` from one noise level to another, by the covariance's axes.

    x' = m + A sqrt((L + sigma_next^2) / (L + sigma^2)) A' (x - m),   S = A L A'
    """
    variance, axes = jnp.linalg.eigh(target.covariance)
    scale = jnp.sqrt((variance + sigma_next**2) / (variance + sigma**2))
    return target.loc[None] + ((x - target.loc[None]) @ axes * scale[None]) @ axes.T


def against_gaussian(
    denoiser: DenoiserOf,
    target: MultivariateNormal,
    *,
    levels: Sequence[float],
    sigmas: Array,
    solver: Solver = heun,
    num: int = 1000,
) -> Probe:
    """Probe of a denoiser of rows beside the closed forms of the Gaussian that its data are of.

    Args:
      denoiser: judged, of a state.
      target: of the data.
      levels: noise levels > 0 whose score is looked at.
      sigmas: as in `log_likelihood`, of the likelihood.
      solver: as in `log_likelihood`.
      num: draws, that all is averaged over.
    Returns:
      `probe(key, state)`: `score_<level>`, as `score_error` says; `likelihood_error`, mean of |log p - log p*| in nats;
      `nll`, -log p, and `entropy`, -log p*.
    """

    def probe(key: Key, state: State) -> dict[str, Mean]:
        denoise, exact = denoiser(state), exact_denoiser(target)
        found = {}
        *level_keys, lowest_key = jax.random.split(key, len(levels) + 1)
        for level, level_key in zip(levels, level_keys, strict=True):
            x = noised(target, level).sample(level_key, (num,))
            found[f"score_{level:g}"] = Mean.of(score_error(denoise, exact, x, level))
        lowest = noised(target, sigmas[-1])
        x = lowest.sample(lowest_key, (num,))
        log_prob, want = log_likelihood(denoise, x, sigmas, solver=solver), jax.vmap(lowest.log_prob)(x)
        judged = {"likelihood_error": jnp.abs(log_prob - want), "nll": -log_prob, "entropy": -want}
        return {**found, **{name: Mean.of(value) for name, value in judged.items()}}

    return probe


def distances_by_evaluations(
    denoiser: DenoiserOf,
    target: MultivariateNormal,
    solvers: Mapping[str, Tried],
    *,
    schedule: Callable[[int], Array],
    evaluations: Sequence[int],
    num: int = 4000,
) -> Probe:
    """Probe of what samples cost: how far they are from the target, by solver and calls of the denoiser.

    Args:
      denoiser: as in `against_gaussian`.
      target: as in `against_gaussian`.
      solvers: by name.
      schedule: `(steps) -> [steps + 1]` falling noise levels, of which all begin with the same.
      evaluations: calls that a sample may take, at least those of a step.
      num: samples.
    Returns:
      `probe(key, state)`: `<solver>_<evaluations>`, the Frechet distance of samples from as many draws of the target,
      and `data`, that of other draws; `distances` `[S, E]`, the former by solver and evaluations.
    """
    rows = {name: _ladders(schedule, [max(1, n // one.calls) for n in evaluations]) for name, one in solvers.items()}

    def probe(key: Key, state: State) -> dict[str, Mean]:
        data_key, other_key, noise_key, key = jax.random.split(key, 4)
        data, other = (target.sample(key, (num,)) for key in (data_key, other_key))
        noise, denoise = jax.random.normal(noise_key, data.shape), denoiser(state)
        found, every = {"data": frechet_distance(other, data)}, []
        for name, tried in solvers.items():

            def distance(sigmas, solver=tried.solver):
                return frechet_distance(sample(key, denoise, sigmas[0] * noise, sigmas, solver), data)

            every.append(lax.map(distance, rows[name]))
            found |= {f"{name}_{n}": every[-1][i] for i, n in enumerate(evaluations)}
        return {**{name: Mean.of(value) for name, value in found.items()}, "distances": jnp.stack(every)}

    return probe


def orders(
    target: MultivariateNormal,
    solvers: Mapping[str, Tried],
    *,
    schedule: Callable[[int], Array],
    steps: Sequence[int],
    num: int = 50_000,
) -> Probe:
    """Probe of solvers alone, with the exact denoiser: the power of the steps by which their error falls.

    Args:
      target: of the data.
      solvers: by name.
      schedule: `(steps) -> [steps + 1]` falling noise levels that end with 0, which is left out, and the step to it;
        all begin, and end before it, with the same.
      steps: of which each is taken.
      num: points, drawn from the target with noise of the first level.
    Returns:
      `probe(key, state)`: `<solver>_order`, as `rate.power_law` of one over the steps; `<solver>_error` of the most.
    """
    ladders = _ladders(lambda num: schedule(num + 1)[:-1], steps)

    def probe(key: Key, state: State) -> dict[str, Mean]:
        del state
        (start_key, key), denoise = jax.random.split(key), exact_denoiser(target)
        first, last = ladders[0, 0], ladders[0, -1]
        start = noised(target, first).sample(start_key, (num,))
        want, found = exact_flow(target, start, first, last), {}
        for name, tried in solvers.items():

            def error(sigmas, tried=tried):
                return tried.error(sample(key, denoise, start, sigmas, tried.solver), want)

            errors = lax.map(error, ladders)
            found[f"{name}_order"] = power_law(1 / jnp.asarray(steps, jnp.float32), errors)
            found[f"{name}_error"] = errors[-1]
        return {name: Mean.of(value) for name, value in found.items()}

    return probe


def _ladders(schedule: Callable[[int], Array], counts: Sequence[int]) -> Array:
    """`[N, L]`, of one length for all numbers of steps: a step from the first level to itself does nothing."""
    each = [schedule(n) for n in counts]
    longest = max(map(len, each))
    return jnp.stack([jnp.pad(row, (longest - len(row), 0), mode="edge") for row in each])
