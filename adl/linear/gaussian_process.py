"""Gaussian processes: regression by functions instead of weights, exactly.

    f ~ GP(0, k),   y_n = f(x_n) + e_n,   e_n ~ N(0, s2)
    E f(x) = k(x, X) a,   cov(f(x), f(x')) = k(x, x') - k(x, X) (K + s2 I)^-1 k(X, x'),   a = (K + s2 I)^-1 y
    log p(y) = -1/2 y . a - 1/2 log |K + s2 I| - N / 2 log 2 pi,   d log p = 1/2 tr((a a^T - (K + s2 I)^-1) dK)

The second line is `condition` and `predict`, the third is what hyper-parameters are chosen by, `evidence_ascent`. In
float32 noise of less than about 1e-5 of the largest variance is not told from rounding.
Source: Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, eq. 2.23 to 2.30 and 5.9.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from jax.scipy.linalg import cho_solve, solve_triangular

from adl.core import Algorithm, Key, Learner, Mean, PyTree, border, descend, gathered, trace
from adl.core.types import Array
from adl.linear.covariance import Kernel, variances
from adl.prob.gaussian import MultivariateNormal
from adl.prob.product import matmul

# hyper-parameters, all positive -> the kernel, and the variance of the noise, [] or [N]
Model = Callable[[PyTree], tuple[Kernel, Array]]


class ProcessPosterior(NamedTuple):
    """What data say of a function."""

    x: Array  # [N, D]
    root: Array  # [N, N] lower Cholesky factor of K + s2 I
    weights: Array  # [N] a
    log_evidence: Array  # [] log p(y) in nats


class Marginals(NamedTuple):
    """Of the function, without noise, each place by itself."""

    mean: Array  # [B]
    variance: Array  # [B] > 0


class Picture(NamedTuple):
    """What there is to draw of a process."""

    mean: Array  # [B]
    scale: Array  # [B] > 0, of the next outcome
    samples: Array  # [S, B] of the function
    log_evidence: Array  # [] log p(y) in nats


def condition(kernel: Kernel, x: Array, y: Array, *, noise_variance: Array | float) -> ProcessPosterior:
    """The posterior of the function by all data at once.

    Args:
      kernel: of `covariance`.
      x: `[N, D]`.
      y: `[N]`, about 0: the process has no mean of its own.
      noise_variance: s2 > 0, `[]` or `[N]`, in squared units of y.
    """
    chex.assert_rank([x, y], [2, 1])
    chex.assert_equal_shape_prefix([x, y], 1)
    return ProcessPosterior(x, *_solved(_with_noise(kernel, x, noise_variance), y))


def predict(kernel: Kernel, posterior: ProcessPosterior, x: Array) -> Marginals:
    """Mean and variance of f at rows `x [B, D]`; the next outcome has the variance of the noise more."""
    chex.assert_shape(x, (None, posterior.x.shape[1]))
    across = kernel(posterior.x, x)
    known = jnp.square(solve_triangular(posterior.root, across, lower=True)).sum(0)
    prior = variances(kernel, x)
    floor = jnp.finfo(prior.dtype).eps * prior  # what rounding leaves of a difference
    return Marginals(matmul(across.T, posterior.weights), jnp.maximum(prior - known, floor))


def joint(kernel: Kernel, posterior: ProcessPosterior, x: Array) -> MultivariateNormal:
    """f at rows `x [B, D]`, all together: its covariance may be singular, up to rounding."""
    across = kernel(posterior.x, x)
    half = solve_triangular(posterior.root, across, lower=True)
    return MultivariateNormal(matmul(across.T, posterior.weights), kernel(x, x) - matmul(half.T, half))


def sample(key: Key, law: MultivariateNormal, num_samples: int) -> Array:
    """Functions `[num_samples, B]` of a prior or a posterior; the key is consumed.

    By eigenvalues, of which those below 0 are rounding: smooth functions have no Cholesky factor in float32.
    """
    values, vectors = jnp.linalg.eigh(law.covariance)
    noise = jax.random.normal(key, (num_samples, len(values))) * jnp.sqrt(jnp.maximum(values, 0))[None]
    return law.loc[None] + matmul(noise, vectors.T)


def picture(
    key: Key, kernel: Kernel, x: Array, y: Array, new: Array, *, noise_variance: Array | float, num_samples: int
) -> Picture:
    """The process through data `x [N, D]` and `y [N]`, at rows `new [B, D]`; the key is consumed.

    Args:
      key: of the samples.
      kernel: as of `condition`.
      x: as of `condition`.
      y: as of `condition`.
      new: where it is looked at.
      noise_variance: as of `condition`, `[]`.
      num_samples: S >= 1.
    """
    posterior = condition(kernel, x, y, noise_variance=noise_variance)
    law = joint(kernel, posterior, new)
    scale = jnp.sqrt(predict(kernel, posterior, new).variance + noise_variance)
    return Picture(law.loc, scale, sample(key, law, num_samples), posterior.log_evidence)


def log_evidence(kernel: Kernel, x: Array, y: Array, *, noise_variance: Array | float) -> Array:
    """log p(y) `[]` in nats; arguments as of `condition`. Its gradient costs one inverse, whatever it is taken by."""
    return normal_log_prob(_with_noise(kernel, x, noise_variance), y)


@border.columns(x="float [B, D]", y="float [B]")
def evidence_ascent(
    model: Model,
    tx: optax.GradientTransformation,
    *,
    start: PyTree,
    axis: str | None = None,
) -> Algorithm:
    """Hyper-parameters of most evidence, by its gradient; the state is a `Learner` of their logarithms.

    A batch is `{"x": [B, D], "y": [B]}`, all data at every step. Reports the `loss`, -log p(y) / B in nats, before the
    step. Data do not fall into parts that know nothing of each other: under `axis` every device sees all of them, and
    does the same. The evidence has more than one maximum; `start` chooses.

    Args:
      model: of the hyper-parameters.
      tx: optax transformation; it moves the logarithms.
      start: > 0, arrays of any structure.
      axis: as in `core.descend`.
    """

    def init(key, batch):
        logs = jax.tree.map(lambda value: jnp.log(jnp.asarray(value, batch["y"].dtype)), start)
        return Learner.create({"params": logs}, tx)

    def loss(key, logs, extras, batch):
        x, y = gathered((batch["x"], batch["y"]), axis)
        kernel, noise_variance = model(jax.tree.map(jnp.exp, logs))
        nats = -log_evidence(kernel, x, y, noise_variance=noise_variance)
        return {"loss": Mean(nats, jnp.asarray(len(y), nats.dtype))}, extras

    return Algorithm(init, descend(loss, tx, axis))


def values(learner: Learner) -> PyTree:
    """The hyper-parameters that a state of `evidence_ascent` stands for, all positive."""
    return jax.tree.map(jnp.exp, learner.params)


def way_up(
    key: Key, model: Model, start: PyTree, tx: optax.GradientTransformation, batch: PyTree, num_steps: int
) -> PyTree:
    """Hyper-parameters `[num_steps, ...]` after each step of `evidence_ascent` on one batch; arguments as there."""
    alg = evidence_ascent(model, tx, start=start)
    return trace(alg, num_steps, values)(key, alg.init(key, batch), batch)[1]


@jax.custom_jvp
def normal_log_prob(covariance: Array, y: Array) -> Array:
    """log N(y; 0, covariance) `[]` of `y [N]`; its derivative is by the inverse, not through the factorisation."""
    return _solved(covariance, y)[2]


@normal_log_prob.defjvp
def _normal_log_prob_jvp(primals, tangents):
    (covariance, y), (d_covariance, dy) = primals, tangents
    root, weights, value = _solved(covariance, y)
    inverse = cho_solve((root, True), jnp.eye(len(y), dtype=y.dtype))
    pull = 0.5 * (weights[:, None] * weights[None] - inverse)
    return value, (pull * d_covariance).sum() - weights @ dy


def _solved(covariance: Array, y: Array) -> tuple[Array, Array, Array]:
    root = jnp.linalg.cholesky(covariance)
    weights = cho_solve((root, True), y)
    log_det = 2 * jnp.log(jnp.diagonal(root)).sum()
    return root, weights, -0.5 * (y @ weights + log_det + len(y) * jnp.log(2 * jnp.pi))


def _with_noise(kernel: Kernel, x: Array, noise_variance: Array | float) -> Array:
    noise = jnp.broadcast_to(jnp.asarray(noise_variance, x.dtype), x.shape[:1])
    return kernel(x, x) + jnp.diag(noise)
