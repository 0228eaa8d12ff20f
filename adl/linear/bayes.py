"""Bayesian linear regression, exactly: what data say is a sum over them, and the prior is what is there before any.

    y = x . w + e,   e ~ N(0, s2),   w | s2 ~ N(0, s2 / prior_precision I),   s2 known, or ~ InverseGamma(shape, rate)

    precision = prior_precision I + sum x x^T,   projection = sum x y,   w | s2, data ~ N(m, s2 precision^-1),
    m = precision^-1 projection,   s2 | data ~ InverseGamma(shape + n / 2, rate + (sum y^2 - m . projection) / 2)

Sums have no order: any split of the data into batches, on any number of devices, leads to the same posterior. A step
learns its batch once and for all; batches that come again count again.
Sources: Bishop 2006, Pattern Recognition and Machine Learning, eq. 3.50 to 3.59; with unknown noise, Murphy 2012,
Machine Learning: A Probabilistic Perspective, section 7.6.3.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular

from adl.core import Algorithm, Key, Mean, accumulate, border
from adl.core.types import Array
from adl.prob.distributions import student_t_log_prob
from adl.prob.product import matmul


class Posterior(NamedTuple):
    """Natural parameters: those of two disjoint data sets with one prior add, less the prior."""

    precision: Array  # [D, D] of the weights, times the noise variance
    projection: Array  # [D] sum of x y, the precision times the mean of the weights
    count: Array  # [] n
    energy: Array  # [] sum of y^2


# What is believed of the noise: posterior -> (degrees of freedom, variance), [] each; infinite where it is known
Noise = Callable[[Posterior], tuple[Array, Array]]


class Prediction(NamedTuple):
    """Student's t of each outcome; normal where the noise is known."""

    mean: Array  # [B]
    scale: Array  # [B] > 0, of y
    dof: Array  # [] degrees of freedom, infinite for the normal


def known_noise(std: float) -> Noise:
    """Noise of standard deviation `std` > 0, in units of y."""
    return lambda posterior: (jnp.full_like(posterior.count, jnp.inf), jnp.full_like(posterior.count, std**2))


def inverse_gamma_noise(shape: float, rate: float) -> Noise:
    """Noise whose variance is inverse-gamma before any data; in float32 the fit must leave more than 1e-5 of sum y^2.

    Args:
      shape: > 0; worth 2 `shape` observations.
      rate: > 0, in squared units of y; the prior's guess of the variance is rate / shape.
    """

    def noise(posterior):
        mean, _ = _weights(posterior)
        residual = jnp.maximum(posterior.energy - mean @ posterior.projection, 0)
        half_count = shape + posterior.count / 2
        return 2 * half_count, (rate + residual / 2) / half_count

    return noise


@border.columns(x="float [B, D]", y="float [B]", mask="[B]?")
def bayesian_regression(noise: Noise, *, prior_precision: float = 1.0, axis: str | None = None) -> Algorithm:
    """The posterior of the weights, batch by batch; the state is a `Posterior`.

    A batch is `{"x": [B, D], "y": [B]}`, with an optional "mask" `[B]`, >= 0, that weighs the examples. Reports the
    `loss`, -log p(y | x, batches before) in nats an example: over batches of one example their sum is -log evidence.

    Args:
      noise: `known_noise` or `inverse_gamma_noise`; it only says how a posterior is read, and moves nothing.
      prior_precision: > 0, of each weight, times the noise variance: the penalty of ridge regression.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        dim = batch["x"].shape[-1]
        return Posterior(prior_precision * jnp.eye(dim), jnp.zeros(dim), jnp.zeros(()), jnp.zeros(()))

    def measure(key, posterior, batch):
        x, y = batch["x"], batch["y"]
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), y.shape)
        weighted = x * weight[:, None]
        sums = Posterior(matmul(weighted.T, x), matmul(weighted.T, y), weight.sum(), matmul(weight * y, y))
        return sums, {"loss": Mean.of(-log_prob(posterior, x, y, noise), weight)}

    return Algorithm(init, accumulate(measure, lambda posterior, sums: jax.tree.map(jnp.add, posterior, sums), axis))


def log_prob(posterior: Posterior, x: Array, y: Array, noise: Noise) -> Array:
    """Log predictive density `[B]` of outcomes `y [B]` at `x [B, D]`, each by itself, in nats."""
    chex.assert_rank([x, y], [2, 1])
    chex.assert_equal_shape_prefix([x, y], 1)
    prediction = predict(posterior, x, noise)
    return student_t_log_prob(y, prediction.mean, jnp.log(prediction.scale), prediction.dof)


def predict(posterior: Posterior, x: Array, noise: Noise) -> Prediction:
    """What is expected of y at `x [B, D]`, noise included.

    mean = x . m,   scale^2 = s2 (1 + x^T precision^-1 x)
    """
    chex.assert_shape(x, (None, len(posterior.projection)))
    mean, root = _weights(posterior)
    dof, variance = noise(posterior)
    spread = jnp.square(solve_triangular(root, x.T, lower=True)).sum(0)
    return Prediction(matmul(x, mean), jnp.sqrt(variance * (1 + spread)), dof)


def weights(posterior: Posterior, noise: Noise) -> tuple[Array, Array]:
    """Mean `[D]` and scale matrix `[D, D]` of the weights: of a t, of a normal where the noise is known."""
    mean, root = _weights(posterior)
    return mean, noise(posterior)[1] * cho_solve((root, True), jnp.eye(len(mean)))


def sample_weights(key: Key, posterior: Posterior, noise: Noise, num_samples: int) -> Array:
    """`[num_samples, D]` weights drawn from the posterior; the key is consumed."""
    mean, root = _weights(posterior)
    dof, variance = noise(posterior)
    noise_key, weight_key = jax.random.split(key)
    half = jnp.minimum(dof, 1e6) / 2  # with so many degrees of freedom a t is normal
    std = jnp.sqrt(variance * half / jax.random.gamma(noise_key, half, (num_samples, 1)))
    standard = jax.random.normal(weight_key, (len(mean), num_samples))
    return mean[None] + std * solve_triangular(root, standard, lower=True, trans=1).T


def _weights(posterior: Posterior) -> tuple[Array, Array]:
    """Mean of the weights, and the Cholesky root of their precision."""
    root = jnp.linalg.cholesky(posterior.precision)
    return cho_solve((root, True), posterior.projection), root
