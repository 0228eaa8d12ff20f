"""The evidence: how probable the data are under a model, its weights integrated out; and the model that makes it most.

    log p(y | a, b) = D / 2 log a + N / 2 log b - b / 2 |y - X m|^2 - a / 2 |m|^2 - 1/2 log |A| - N / 2 log 2 pi
    A = a I + b X^T X,   m = b A^-1 X^T y,   a the precision of each weight, b that of the noise

    g = sum_i b l_i / (a + b l_i),   a <- g / |m|^2,   b <- (N - g) / |y - X m|^2,   l_i the eigenvalues of X^T X

g is the number of weights that data determine. Both read a `bayes.Posterior`: sums over the data, and nothing else.
Source: Bishop 2006, Pattern Recognition and Machine Learning, section 3.5; MacKay 1992, Neural Computation 4(3).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array
from adl.linear import bayes
from adl.linear.bayes import Posterior, Prediction, bayesian_regression, known_noise
from adl.linear.regression import rows
from adl.prob.product import matmul

CONVERGED = 1e-4  # relative move of both precisions


class Evidence(NamedTuple):
    """A pair of precisions, and what they mean."""

    weight_precision: Array  # [] a
    noise_precision: Array  # [] b
    log_evidence: Array  # [] in nats
    determined: Array  # [] g in [0, D]
    mean: Array  # [D] of the weights


def learned(x: Array, y: Array, *, prior_precision: float = 1.0) -> Posterior:
    """The posterior of all data `x [N, D]` and `y [N]` at once, which both below read."""
    alg = bayesian_regression(known_noise(1.0), prior_precision=prior_precision)
    batch, key = {"x": x, "y": y}, jax.random.key(0)
    return alg.step(key, alg.init(key, batch), batch)[0]


def evidence(
    posterior: Posterior, weight_precision: Array, noise_precision: Array, *, prior_precision: float = 1.0
) -> Evidence:
    """The evidence of two precisions.

    Args:
      posterior: of `bayes.bayesian_regression`, after all data.
      weight_precision: a > 0, in inverse squared units of the weights.
      noise_precision: b > 0, in inverse squared units of y.
      prior_precision: with which the posterior was begun; it is taken out again.
    """
    return _evidence(_read(posterior, prior_precision), weight_precision, noise_precision)


def maximise(posterior: Posterior, *, prior_precision: float = 1.0, max_steps: int = 1000) -> Evidence:
    """The precisions of most evidence, by the fixed point above from 1 and 1 over the mean square of y.

    In float32 a fit that leaves less than about 1e-6 of y's variance is not told from one that leaves none.

    Args:
      posterior: as in `evidence`; y must not be explained entirely.
      prior_precision: as in `evidence`.
      max_steps: >= 1, after which whatever was reached is returned.
    """
    seen = _read(posterior, prior_precision)

    def unfinished(carry):
        count, _, _, change = carry
        return (count < max_steps) & (change > CONVERGED)

    def move(carry):
        count, a, b, _ = carry
        now = _evidence(seen, a, b)
        new_a = now.determined / jnp.square(now.mean).sum()
        new_b = (seen.count - now.determined) / _residual(seen, a, b)
        change = jnp.maximum(jnp.abs(new_a / a - 1), jnp.abs(new_b / b - 1))
        return count + 1, new_a, new_b, change

    start = (0, jnp.ones(()), seen.count / (jnp.square(seen.told).sum() + seen.left), jnp.inf)
    _, a, b, _ = lax.while_loop(unfinished, move, start)
    return _evidence(seen, a, b)


def predict(posterior: Posterior, best: Evidence, x: Array, *, prior_precision: float = 1.0) -> Prediction:
    """What is expected of y at `x [B, D]`, noise included, with the precisions of `best`; others as in `evidence`."""
    ratio = best.weight_precision / best.noise_precision - prior_precision
    precise = posterior._replace(scatter=posterior.scatter + ratio * jnp.eye(len(posterior.cross)))
    return bayes.predict(precise, x, known_noise(best.noise_precision**-0.5))


class _Spectrum(NamedTuple):
    """X = U diag(roots) V^T, as far as sums tell it."""

    roots: Array  # [D] >= 0, singular values
    basis: Array  # [D, D] rows V^T
    told: Array  # [D] U^T y
    left: Array  # [] |y|^2 - |U^T y|^2
    count: Array  # []


def _read(posterior: Posterior, prior_precision: float) -> _Spectrum:
    dim = len(posterior.cross)
    few, outcomes, left = rows(posterior._replace(scatter=posterior.scatter - prior_precision * jnp.eye(dim)))
    u, roots, basis = jnp.linalg.svd(few, full_matrices=False)
    told = matmul(u.T, outcomes)
    # What is left of the few rows' outcomes by itself: a difference of squares would lose it.
    return _Spectrum(roots, basis, told, left + jnp.square(outcomes - matmul(u, told)).sum(), posterior.count)


def _evidence(seen: _Spectrum, a: Array, b: Array) -> Evidence:
    scaled = b * jnp.square(seen.roots)
    mean = matmul(seen.basis.T, b * seen.roots * seen.told / (a + scaled))
    misfit = b * _residual(seen, a, b) + a * jnp.square(mean).sum()
    log_det = jnp.log1p(scaled / a).sum() - seen.count * jnp.log(b / (2 * jnp.pi))
    return Evidence(a, b, -0.5 * (misfit + log_det), (scaled / (a + scaled)).sum(), mean)


def _residual(seen: _Spectrum, a: Array, b: Array) -> Array:
    """|y - X m|^2 `[]`, a sum of squares."""
    return jnp.square(seen.told * a / (a + b * jnp.square(seen.roots))).sum() + seen.left
