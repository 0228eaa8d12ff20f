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
    eigenvalues, basis = jnp.linalg.eigh(posterior.precision)
    return _evidence(posterior, eigenvalues, basis, weight_precision, noise_precision, prior_precision)


def maximise(posterior: Posterior, *, prior_precision: float = 1.0, max_steps: int = 1000) -> Evidence:
    """The precisions of most evidence, by the fixed point above from 1 and 1 over the mean square of y.

    Args:
      posterior: as in `evidence`; y must not be explained entirely.
      prior_precision: as in `evidence`.
      max_steps: >= 1, after which whatever was reached is returned.
    """
    eigenvalues, basis = jnp.linalg.eigh(posterior.precision)

    def seen(a, b):
        return _evidence(posterior, eigenvalues, basis, a, b, prior_precision)

    def unfinished(carry):
        count, _, _, change = carry
        return (count < max_steps) & (change > CONVERGED)

    def move(carry):
        count, a, b, _ = carry
        now = seen(a, b)
        new_a = now.determined / jnp.square(now.mean).sum()
        new_b = (posterior.count - now.determined) / _residual(posterior, now.mean, prior_precision)
        change = jnp.maximum(jnp.abs(new_a / a - 1), jnp.abs(new_b / b - 1))
        return count + 1, new_a, new_b, change

    start = (0, jnp.ones(()), posterior.count / posterior.energy, jnp.inf)
    _, a, b, _ = lax.while_loop(unfinished, move, start)
    return seen(a, b)


def predict(posterior: Posterior, best: Evidence, x: Array, *, prior_precision: float = 1.0) -> Prediction:
    """What is expected of y at `x [B, D]`, noise included, with the precisions of `best`; others as in `evidence`."""
    ratio = best.weight_precision / best.noise_precision - prior_precision
    precise = posterior._replace(precision=posterior.precision + ratio * jnp.eye(len(posterior.projection)))
    return bayes.predict(precise, x, known_noise(best.noise_precision**-0.5))


def _evidence(posterior, eigenvalues, basis, a, b, prior_precision) -> Evidence:
    scaled = b * jnp.maximum(eigenvalues - prior_precision, 0)
    mean = matmul(basis, b / (a + scaled) * matmul(basis.T, posterior.projection))
    misfit = b * _residual(posterior, mean, prior_precision) + a * jnp.square(mean).sum()
    log_det = jnp.log(a + scaled).sum() - len(mean) * jnp.log(a) - posterior.count * jnp.log(b / (2 * jnp.pi))
    return Evidence(a, b, -0.5 * (misfit + log_det), (scaled / (a + scaled)).sum(), mean)


def _residual(posterior: Posterior, mean: Array, prior_precision: float) -> Array:
    """|y - X m|^2 `[]`, from sums."""
    explained = 2 * mean @ posterior.projection - mean @ matmul(posterior.precision, mean)
    # Never 0: in float32 what little is left may round to less.
    floor = 1e-6 * posterior.energy
    return jnp.maximum(posterior.energy - explained - prior_precision * jnp.square(mean).sum(), floor)
