"""Bayesian linear regression, exactly: what data say is a sum over them, and the prior is what is there before any.

    y = x . w + e,   e ~ N(0, s2),   w | s2 ~ N(0, s2 / prior_precision I),   s2 known, or ~ InverseGamma(shape, rate)

    precision = prior_precision I + sum x x^T,   projection = sum x y,   w | s2, data ~ N(m, s2 precision^-1),
    m = precision^-1 projection,   s2 | data ~ InverseGamma(shape + n / 2, rate + (sum y^2 - m . projection) / 2)

Sums have no order: any split of the data into batches, on any number of devices, leads to the same posterior. A step
learns its batch once and for all; batches that come again count again. They are kept about the means of x and y, so
that nothing cancels far from the origin; then the means are learned as one more row, of the weight n:

    root root^T = prior_precision I + sum (x - mean) (x - mean)^T,   u = sqrt(n) root^-1 mean
    precision^-1 = root^-T (I - u u^T / (1 + |u|^2)) root^-1

Sources: Bishop 2006, Pattern Recognition and Machine Learning, eq. 3.50 to 3.59; with unknown noise, Murphy 2012,
Machine Learning: A Probabilistic Perspective, section 7.6.3.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from adl.core import Algorithm, Key, Mean, accumulate, border
from adl.core.types import Array
from adl.linear.regression import Sums, merged_sums, no_sums, sums_about
from adl.prob.distributions import student_t_log_prob
from adl.prob.product import matmul
from adl.prob.special import safe_ratio

Posterior = Sums  # whose scatter has the prior precision on its diagonal from the start

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
    """Noise whose variance is inverse-gamma before any data; float32 asks of the fit to leave 1e-5 of y's own variance.

    Args:
      shape: > 0; worth 2 `shape` observations.
      rate: > 0, in squared units of y; the prior's guess of the variance is rate / shape.
    """

    def noise(posterior):
        seen = _read(posterior)
        half_count = shape + posterior.count / 2
        return 2 * half_count, (rate + seen.left / 2) / half_count

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
        return no_sums(batch)._replace(scatter=prior_precision * jnp.eye(batch["x"].shape[-1]))

    def measure(key, posterior, batch):
        x, y = batch["x"], batch["y"]
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), y.shape)
        return sums_about(posterior, batch), {"loss": Mean.of(-log_prob(posterior, x, y, noise), weight)}

    return Algorithm(init, accumulate(measure, merged_sums, axis))


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
    chex.assert_shape(x, (None, len(posterior.cross)))
    seen, (dof, variance) = _read(posterior), noise(posterior)
    away = x - posterior.x_mean[None]
    across = solve_triangular(seen.root, away.T, lower=True)
    # Of x = mean + away, what lies along the row of the means, and the rest of it.
    square = jnp.square(seen.middle).sum()
    along = safe_ratio(matmul(seen.middle, across), square)
    rest = jnp.square(across - seen.middle[:, None] * along[None]).sum(0)
    spread = rest + jnp.square(1 + along) * square / (1 + posterior.count * square)
    mean = posterior.y_mean + matmul(away, seen.mean) - seen.miss
    return Prediction(mean, jnp.sqrt(variance * (1 + spread)), dof)


def weights(posterior: Posterior, noise: Noise) -> tuple[Array, Array]:
    """Mean `[D]` and scale matrix `[D, D]` of the weights: of a t, of a normal where the noise is known."""
    seen = _read(posterior)
    half = solve_triangular(seen.root, jnp.eye(len(seen.mean)), lower=True)
    half = matmul(_shrunk(jnp.sqrt(posterior.count) * seen.middle), half)
    return seen.mean, noise(posterior)[1] * matmul(half.T, half)


def sample_weights(key: Key, posterior: Posterior, noise: Noise, num_samples: int) -> Array:
    """`[num_samples, D]` weights drawn from the posterior; the key is consumed."""
    seen, (dof, variance) = _read(posterior), noise(posterior)
    noise_key, weight_key = jax.random.split(key)
    half = jnp.minimum(dof, 1e6) / 2  # with so many degrees of freedom a t is normal
    std = jnp.sqrt(variance * half / jax.random.gamma(noise_key, half, (num_samples, 1)))
    shrunk = _shrunk(jnp.sqrt(posterior.count) * seen.middle)
    standard = matmul(shrunk, jax.random.normal(weight_key, (len(seen.mean), num_samples)))
    return seen.mean[None] + std * solve_triangular(seen.root, standard, lower=True, trans=1).T


class _Reading(NamedTuple):
    mean: Array  # [D] of the weights
    root: Array  # [D, D] as above
    middle: Array  # [D] root^-1 mean of x
    miss: Array  # [] mean of y - x . w
    left: Array  # [] sum (y - x . w)^2 + prior_precision |w|^2, at the mean


def _read(posterior: Posterior) -> _Reading:
    root, count = jnp.linalg.cholesky(posterior.scatter), posterior.count
    told, middle = (solve_triangular(root, part, lower=True) for part in (posterior.cross, posterior.x_mean))
    # By weights that know nothing of the means these are missed by so much, and by all that is known by less.
    before = posterior.y_mean - middle @ told
    miss = before / (1 + count * jnp.square(middle).sum())
    mean = solve_triangular(root, told + count * miss * middle, lower=True, trans=1)
    within = jnp.maximum(posterior.energy - jnp.square(told).sum(), 0)
    return _Reading(mean, root, middle, miss, within + count * miss * before)


def _shrunk(u: Array) -> Array:
    """The symmetric root `[D, D]` of I - u u^T / (1 + |u|^2)."""
    square = jnp.square(u).sum()
    less = 1 / (1 + square + jnp.sqrt(1 + square))  # 1 - less square = 1 / sqrt(1 + square)
    return jnp.eye(len(u)) - less * u[:, None] * u[None]
