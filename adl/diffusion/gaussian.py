"""A Gaussian target, of which all is known: its denoiser, its score, its likelihood, and where samples should be.

D(x; sigma) = m + S (S + sigma^2 I)^-1 (x - m),   score (D - x) / sigma^2,   p_sigma = N(m, S + sigma^2 I)
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from adl.core import Key, Mean, Probe, State
from adl.diffusion.likelihood import log_likelihood
from adl.diffusion.solver import Denoiser, Solver, sample
from adl.measure.distance import frechet_distance
from adl.prob.gaussian import MultivariateNormal

DenoiserOf = Callable[[State], Denoiser]


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


def against_gaussian(
    denoiser: DenoiserOf, target: MultivariateNormal, *, levels: Sequence[float], sigmas: Array, num: int = 1000
) -> Probe:
    """Probe of a denoiser of rows beside the closed forms of the Gaussian that its data are of.

    Args:
      denoiser: judged, of a state.
      target: of the data.
      levels: noise levels > 0 whose score is looked at.
      sigmas: as in `log_likelihood`, of the likelihood.
      num: draws, that all is averaged over.
    Returns:
      `probe(key, state)`: `score_<level>`, as `score_error` says; `likelihood_error`, mean of |log p - log p*| in nats;
      `nll`, -log p, and `entropy`, -log p*.
    """

    def probe(key: Key, state: State) -> dict[str, Mean]:
        denoise, exact = denoiser(state), exact_denoiser(target)
        found = {}
        for level, level_key in zip(levels, jax.random.split(key, len(levels)), strict=True):
            x = noised(target, level).sample(level_key, (num,))
            found[f"score_{level:g}"] = Mean.of(score_error(denoise, exact, x, level))
        lowest = noised(target, sigmas[-1])
        x = lowest.sample(jax.random.fold_in(key, 1), (num,))
        log_prob, want = log_likelihood(denoise, x, sigmas), jax.vmap(lowest.log_prob)(x)
        judged = {"likelihood_error": jnp.abs(log_prob - want), "nll": -log_prob, "entropy": -want}
        return {**found, **{name: Mean.of(value) for name, value in judged.items()}}

    return probe


def by_evaluations(
    denoiser: DenoiserOf,
    target: MultivariateNormal,
    solvers: Mapping[str, tuple[Solver, int]],
    *,
    schedule: Callable[[int], Array],
    evaluations: Sequence[int],
    num: int = 4000,
) -> Probe:
    """Probe of what samples cost: how far they are from the target, by solver and calls of the denoiser.

    Args:
      denoiser: as in `against_gaussian`.
      target: as in `against_gaussian`.
      solvers: by name, with the calls that a step takes.
      schedule: `(steps) -> [steps + 1]` falling noise levels, of which all begin with the same.
      evaluations: calls that a sample may take, at least those of a step.
      num: samples.
    Returns:
      `probe(key, state)`: `<solver>_<evaluations>`, the Frechet distance of samples from as many draws of the target,
      and `data`, that of other draws.
    """
    steps = {name: [max(1, n // calls) for n in evaluations] for name, (_, calls) in solvers.items()}

    def levels(name):
        """One shape for all numbers of steps: a step from the first level to itself does nothing."""
        each = [np.asarray(schedule(n)) for n in steps[name]]
        return np.stack([np.pad(row, (max(map(len, each)) - len(row), 0), mode="edge") for row in each])

    rows = {name: levels(name) for name in solvers}

    def probe(key: Key, state: State) -> dict[str, Mean]:
        data_key, other_key, noise_key, key = jax.random.split(key, 4)
        data, other = (target.sample(key, (num,)) for key in (data_key, other_key))
        noise, denoise = jax.random.normal(noise_key, data.shape), denoiser(state)
        found = {"data": frechet_distance(other, data)}
        for name, (solver, _) in solvers.items():

            def distance(sigmas, solver=solver):
                return frechet_distance(sample(key, denoise, sigmas[0] * noise, sigmas, solver), data)

            distances = lax.map(distance, jnp.asarray(rows[name]))
            found |= {f"{name}_{n}": distances[i] for i, n in enumerate(evaluations)}
        return {name: Mean.of(value) for name, value in found.items()}

    return probe
