"""Gaussian processes behind another likelihood, classes or counts, by Laplace's approximation.

    f ~ GP(0, k),   y_n | f ~ exp(link.log_prob(y_n, f(x_n)));   p(f | y) ~ N(mode, (K^-1 + W)^-1)
    s = d log p(y | f) / df,   W = -d^2 log p(y | f) / df^2,   B = I + W^1/2 K W^1/2,   at the mode f = K s

Newton's method moves a = K^-1 f, so that K, which may be singular, is never inverted; a step that would go far beyond
the maximum along it is halved until it does not.
Source: Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, algorithms 3.1 and 3.2.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular

from adl.core import Algorithm, Mean, border, gathered
from adl.core.types import Array
from adl.linear.covariance import Kernel, variances
from adl.linear.gaussian_process import Marginals
from adl.linear.glm import Link
from adl.linear.step_length import halved
from adl.prob.product import matmul
from adl.prob.quadrature import normal_expectation


class Approximation(NamedTuple):
    """A normal law about the mode."""

    x: Array  # [N, D]
    score: Array  # [N] s
    stiffness: Array  # [N] W^1/2 >= 0
    root: Array  # [N, N] lower Cholesky factor of B
    log_evidence: Array  # [] log p(y) in nats, approximately


@border.columns(x="float [B, D]", y="[B]")
def newton(link: Link, kernel: Kernel, *, axis: str | None = None) -> Algorithm:
    """The mode of f at the data; the state is a `[N]`, from zero, and `core.until_still` takes it to the end.

    A batch is `{"x": [B, D], "y": [B]}`, all data at every step. Reports the `loss`, -log p(y, f) before the step, less
    the constant of the prior, in nats an example. Under `axis` every device sees all data, and does the same.

    Args:
      link: of one output, from `glm`: `bernoulli`, `probit` or `poisson`.
      kernel: of `covariance`.
      axis: as in `core.gathered`.
    """

    def step(key, weights, batch):
        x, y = gathered((batch["x"], batch["y"]), axis)
        gram = kernel(x, x)
        f = matmul(gram, weights)
        score, stiffness, root = _curved(link, gram, f, y)
        # (I + W K)^-1 (s - a): what is solved for vanishes at the mode, and rounding with it.
        left = score - weights
        move = left - stiffness * cho_solve((root, True), stiffness * matmul(gram, left))
        change = matmul(gram, move)

        def slope(share):
            return (_score(link, f + share * change, y) - weights - share * move) @ change

        nats = 0.5 * weights @ f - _log_prob(link, f, y).sum()
        new = weights + halved(slope, jnp.linalg.norm(change)) * move
        return new, {"loss": Mean(nats, jnp.asarray(len(y), nats.dtype))}

    return Algorithm(lambda key, batch: jnp.zeros(len(batch["y"])), step)


def approximate(link: Link, kernel: Kernel, x: Array, y: Array, weights: Array) -> Approximation:
    """The approximation about the mode whose K^-1 f is `weights [N]`, the state of `newton`; rows as it saw them."""
    chex.assert_rank([x, y], [2, 1])
    chex.assert_equal_shape_prefix([x, y], 1)
    gram = kernel(x, x)
    f = matmul(gram, weights)
    _, stiffness, root = _curved(link, gram, f, y)
    log_det = jnp.log(jnp.diagonal(root)).sum()
    # At the mode they are the score, which is a difference that large counts round.
    return Approximation(x, weights, stiffness, root, _log_prob(link, f, y).sum() - 0.5 * weights @ f - log_det)


def predict(kernel: Kernel, approximation: Approximation, x: Array) -> Marginals:
    """Mean and variance of f at rows `x [B, D]`."""
    across = kernel(approximation.x, x)
    half = solve_triangular(approximation.root, approximation.stiffness[:, None] * across, lower=True)
    prior = variances(kernel, x)
    variance = jnp.maximum(prior - jnp.square(half).sum(0), jnp.finfo(prior.dtype).eps * prior)
    return Marginals(matmul(across.T, approximation.score), variance)


def expected(link: Link, prediction: Marginals) -> Array:
    """E[y] `[B]` with f integrated out: of `bernoulli` the probability of 1."""
    return normal_expectation(lambda f: link.mean(f[..., None]), prediction.mean, prediction.variance)


def _log_prob(link: Link, f: Array, y: Array) -> Array:
    return jax.vmap(link.log_prob)(y, f[:, None])


def _score(link: Link, f: Array, y: Array) -> Array:
    return jax.vmap(jax.grad(link.log_prob, 1))(y, f[:, None])[:, 0]


def _curved(link: Link, gram: Array, f: Array, y: Array) -> tuple[Array, Array, Array]:
    score = _score(link, f, y)
    curvature = -jax.vmap(jax.hessian(link.log_prob, 1))(y, f[:, None])[:, 0, 0]
    stiffness = jnp.sqrt(jnp.maximum(curvature, 0))
    system = jnp.eye(len(f), dtype=f.dtype) + stiffness[:, None] * gram * stiffness[None]
    return score, stiffness, jnp.linalg.cholesky(system)
