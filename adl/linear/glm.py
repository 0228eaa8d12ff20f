"""Generalised linear models by Newton's method, which is iteratively reweighted least squares.

    p(y | x) = exp(link.log_prob(y, eta)),   eta = W^T x;   minimise   -sum_n log p(y_n | x_n) + penalty / 2 |W|^2

    W <- W + H^-1 (sum_n x_n s_n^T - penalty W),   s = d log p / d eta,   H = sum_n (-d^2 log p / d eta^2) (x) x x^T

All log-likelihoods here are concave in eta, so that H is positive and there is one answer. For the canonical links
(identity, logit, softmax, log) s = y - E[y] and the curvature is the variance of y, whatever y was.

The log-odds of w0 = 1, w = (3, -2) at x = (-1, 2) are 1 - 3 - 4 = -6:

    >>> import jax.numpy as jnp
    >>> weights = jnp.array([[3.0], [-2.0], [1.0]])
    >>> round(float(bernoulli.mean(jnp.array([-1.0, 2.0, 1.0]) @ weights)), 3)
    0.002

Sources: Bishop 2006, Pattern Recognition and Machine Learning, sections 4.3.2 to 4.3.6; Nelder & Wedderburn 1972,
JRSS A 135(3).
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jax.scipy.special import gammaln, log_ndtr, ndtr

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.prob.product import matmul


class Link(NamedTuple):
    """A distribution of y whose parameters are M linear functions of x."""

    log_prob: Callable[[Array, Array], Array]  # (y [], eta [M]) -> [] in nats, concave in eta
    mean: Callable[[Array], Array]  # eta [..., M] -> E[y]: [...], of softmax the probabilities [..., M]
    num_outputs: int = 1  # M
    # Added to the curvature where all of eta move together. Softmax does not see such a move, the gradient has no part
    # in it, and so the step is the same; but H can be inverted.
    gauge: float = 0.0


class Curvature(NamedTuple):
    """Sums over examples."""

    gradient: Array  # [D, M] of the log-likelihood
    information: Array  # [M, D, M, D] its negative Hessian


bernoulli = Link(lambda y, eta: y * eta[0] - jax.nn.softplus(eta[0]), lambda eta: jax.nn.sigmoid(eta[..., 0]))
probit = Link(lambda y, eta: log_ndtr((2 * y - 1) * eta[0]), lambda eta: ndtr(eta[..., 0]))
poisson = Link(lambda y, eta: y * eta[0] - jnp.exp(eta[0]) - gammaln(y + 1.0), lambda eta: jnp.exp(eta[..., 0]))
normal = Link(lambda y, eta: -0.5 * ((y - eta[0]) ** 2 + jnp.log(2 * jnp.pi)), lambda eta: eta[..., 0])  # of variance 1


def softmax(num_classes: int) -> Link:
    """Classes y in 0 ... K - 1, with K = `num_classes` log-odds."""
    return Link(lambda y, eta: jax.nn.log_softmax(eta)[y], jax.nn.softmax, num_classes, gauge=1.0)


def of_classes(num_classes: int) -> Link:
    """`bernoulli` of two classes, `softmax` of more."""
    return bernoulli if num_classes == 2 else softmax(num_classes)


@border.columns(x="float [B, D]", y="[B]", mask="[B]?")
def irls(link: Link, *, penalty: Array | float = 0.0, axis: str | None = None) -> Algorithm:
    """Newton's method; the state is the weights `[D, M]`, which start from zero.

    A batch is `{"x": [B, D], "y": [B]}`, all data at every step, with an optional "mask" `[B]`, >= 0, that weighs the
    examples. Reports the `loss`, -log p(y | x) before the step, in nats an example. There is no line search: from
    zero the steps of all links here come home on standardised data; separable classes want a penalty.

    Args:
      link: `bernoulli`, `probit`, `softmax(K)`, `poisson` or `normal`.
      penalty: `[]` or `[D]` >= 0, of the squared weights, in nats; 1 / C of scikit-learn, 0 for a constant column.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        return jnp.zeros((batch["x"].shape[-1], link.num_outputs))

    def measure(key, weights, batch):
        x, y = batch["x"], batch["y"]
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), y.shape)
        eta = matmul(x, weights)
        score = jax.vmap(jax.grad(link.log_prob, 1))(y, eta)
        curvature = link.gauge - jax.vmap(jax.hessian(link.log_prob, 1))(y, eta)
        outputs = jnp.arange(link.num_outputs)
        information = jax.vmap(
            lambda m: jax.vmap(lambda n: matmul((x * (weight * curvature[:, m, n])[:, None]).T, x))(outputs)
        )(outputs)
        gradient = matmul((weight[:, None] * score).T, x).T  # of one output, on CPU, four times as fast as x.T first
        sums = Curvature(gradient, information.swapaxes(1, 2))
        return sums, {"loss": Mean.of(-jax.vmap(link.log_prob)(y, eta), weight)}

    def move(weights, sums):
        decay = jnp.broadcast_to(jnp.asarray(penalty, weights.dtype), weights.shape[:1])[:, None]
        size = weights.size
        hessian = sums.information.reshape(size, size) + jnp.diag(jnp.tile(decay[:, 0], link.num_outputs))
        downhill = (sums.gradient - decay * weights).T.reshape(size)
        return weights + cho_solve(cho_factor(hessian), downhill).reshape(link.num_outputs, -1).T

    return Algorithm(init, accumulate(measure, move, axis))


def predict(link: Link, weights: Array, x: Array) -> Array:
    """E[y] `[B]` at `x [B, D]`; of softmax the probabilities `[B, K]`."""
    chex.assert_shape(x, (None, len(weights)))
    return link.mean(matmul(x, weights))


def log_probabilities(link: Link, weights: Array, x: Array) -> Array:
    """`[B, K]` log p(class) in nats at `x [B, D]`, of `bernoulli` and `softmax`."""
    chex.assert_shape(x, (None, len(weights)))
    eta = matmul(x, weights)
    return jax.nn.log_softmax(jnp.concatenate([jnp.zeros_like(eta), eta], 1) if link.num_outputs == 1 else eta)
