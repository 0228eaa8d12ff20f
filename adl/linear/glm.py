"""Generalised linear models by Newton's method, which is iteratively reweighted least squares.

    p(y | x) = exp(link.log_prob(y, eta)),   eta = W^T x;   minimise   -sum_n log p(y_n | x_n) + penalty / 2 |W|^2

    W <- W + H^-1 (sum_n x_n s_n^T - penalty W),   s = d log p / d eta,   H = sum_n (-d^2 log p / d eta^2) (x) x x^T

All log-likelihoods here are concave in eta, so that H is positive and there is one answer. For the canonical links
(identity, logit, softmax, log) s = y - E[y] and the curvature is the variance of y, whatever y was. A step that would
go far beyond the maximum along it is halved until it does not.

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
from jax.scipy.special import digamma, gammaln, log_ndtr, ndtr

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.linear.step_length import halved
from adl.prob.product import matmul
from adl.prob.special import HALF_LOG_2PI, LARGE, log_poisson

NOTHING = 1e-31  # curvature of a column whose examples are all told with certainty: below, float32 has few digits


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


def _bernoulli_log_prob(y: Array, eta: Array) -> Array:
    # Each side by itself: y eta - log(1 + exp(eta)) would lose what is left at large log-odds.
    sides = ((y, -eta), (1 - y, eta))
    return -sum(jnp.where(share == 0, 0, share * jax.nn.softplus(odds)) for share, odds in sides)


@jax.custom_jvp
def _poisson_log_prob(y: Array, eta: Array) -> Array:
    mean = jnp.exp(eta)
    is_near = (y > LARGE) & (jnp.abs(mean - y) < 0.5 * y)  # where large numbers cancel
    near = log_poisson(jnp.where(is_near, y, 1.0), jnp.where(is_near, mean, 1.0))
    return jnp.where(is_near, near, y * eta - mean - gammaln(y + 1.0))


@_poisson_log_prob.defjvp
def _poisson_log_prob_jvp(primals, tangents):
    (y, eta), (dy, d_eta) = primals, tangents
    return _poisson_log_prob(y, eta), (y - jnp.exp(eta)) * d_eta + (eta - digamma(y + 1.0)) * dy


@jax.custom_jvp
def _log_normal_cdf(z: Array) -> Array:
    return jnp.where(z > 0, jnp.log1p(-ndtr(-jnp.maximum(z, 0))), log_ndtr(jnp.minimum(z, 0)))


@_log_normal_cdf.defjvp
def _log_normal_cdf_jvp(primals, tangents):
    return _log_normal_cdf(*primals), _hazard(*primals) * tangents[0]


@jax.custom_jvp
def _hazard(z: Array) -> Array:
    """Normal density over distribution function."""
    return _hazard_and_excess(z)[0]


@_hazard.defjvp
def _hazard_jvp(primals, tangents):
    hazard, excess = _hazard_and_excess(*primals)
    return hazard, -hazard * excess * tangents[0]


def _hazard_and_excess(z: Array) -> tuple[Array, Array]:
    """The hazard, and the hazard plus z: 1 / -z far below 0, where a difference would lose it."""
    near, u = jnp.clip(z, -4, 40), jnp.maximum(-z, 4)
    hazard = jnp.exp(-0.5 * jnp.square(near) - HALF_LOG_2PI - _log_normal_cdf(near))
    rest = u
    for n in range(16, 1, -1):  # Laplace's continued fraction, exact in float32 from 4 on
        rest = u + n / rest
    excess = jnp.where(z < -4, 1 / rest, hazard + near)
    return jnp.where(z < -4, u + 1 / rest, hazard), excess


bernoulli = Link(lambda y, eta: _bernoulli_log_prob(y, eta[0]), lambda eta: jax.nn.sigmoid(eta[..., 0]))
probit = Link(lambda y, eta: _log_normal_cdf((2 * y - 1) * eta[0]), lambda eta: ndtr(eta[..., 0]))
poisson = Link(lambda y, eta: _poisson_log_prob(y * 1.0, eta[0]), lambda eta: jnp.exp(eta[..., 0]))
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
    examples. Reports the `loss`, -log p(y | x) before the step, in nats an example. From zero the steps of all links
    come home, whatever the counts and the columns' units; along directions in which columns differ by no more than
    rounding, as where one stands twice, they move as little as need be. Separable classes want a penalty: without
    one there is no maximum, and the weights grow until the loss is 0.

    Args:
      link: `bernoulli`, `probit`, `softmax(K)`, `poisson` or `normal`.
      penalty: `[]` or `[D]` >= 0, of the squared weights, in nats; 1 / C of scikit-learn, 0 for a constant column.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        return jnp.zeros((batch["x"].shape[-1], link.num_outputs))

    def likelihood(weights, batch):
        """Weights `[B]` of the examples, and their eta `[B, M]`."""
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), batch["y"].shape)
        return weight, matmul(batch["x"], weights)

    def measure(key, weights, batch):
        x, y = batch["x"], batch["y"]
        weight, eta = likelihood(weights, batch)
        curvature = link.gauge - jax.vmap(jax.hessian(link.log_prob, 1))(y, eta)
        outputs = jnp.arange(link.num_outputs)
        information = jax.vmap(
            lambda m: jax.vmap(lambda n: matmul((x * (weight * curvature[:, m, n])[:, None]).T, x))(outputs)
        )(outputs)
        score = weight[:, None] * _scores(link, y, eta)
        gradient = matmul(score.T, x).T  # of one output, on CPU, four times as fast as x.T first
        sums = Curvature(gradient, information.swapaxes(1, 2))
        return sums, {"loss": Mean.of(-jax.vmap(link.log_prob)(y, eta), weight)}

    def whole_step(weights, sums):
        decay = decays(weights)
        hessian = sums.information.reshape(weights.size, -1) + jnp.diag(jnp.tile(decay[:, 0], link.num_outputs))
        uphill = (sums.gradient - decay * weights).T.reshape(weights.size)
        return _solved(hessian, uphill).reshape(link.num_outputs, -1).T

    def decays(weights):
        return jnp.broadcast_to(jnp.asarray(penalty, weights.dtype), weights.shape[:1])[:, None]

    def step(key, weights, batch):
        move, metrics = accumulate(measure, whole_step, axis)(key, weights, batch)
        weight, eta = likelihood(weights, batch)
        change = matmul(batch["x"], move)

        def total(values):
            return accumulate(lambda key, _: ((weight[:, None] * values).sum(), {}), lambda _, s: s, axis)(key, ())[0]

        def slope(share):
            likely = total(_scores(link, batch["y"], eta + share * change) * change)
            return likely - (decays(weights) * (weights + share * move) * move).sum()

        return weights + halved(slope, jnp.sqrt(total(jnp.square(change)))) * move, metrics

    return Algorithm(init, step)


def predict(link: Link, weights: Array, x: Array) -> Array:
    """E[y] `[B]` at `x [B, D]`; of softmax the probabilities `[B, K]`."""
    chex.assert_shape(x, (None, len(weights)))
    return link.mean(matmul(x, weights))


def log_probabilities(link: Link, weights: Array, x: Array) -> Array:
    """`[B, K]` log p(class) in nats at `x [B, D]`, of `bernoulli` and `softmax`."""
    chex.assert_shape(x, (None, len(weights)))
    eta = matmul(x, weights)
    if link.num_outputs > 1:
        return jax.nn.log_softmax(eta)
    return jax.nn.log_sigmoid(jnp.concatenate([-eta, eta], 1))


def _scores(link: Link, y: Array, eta: Array) -> Array:
    """d log p / d eta `[B, M]`."""
    return jax.vmap(jax.grad(link.log_prob, 1))(y, eta)


def _solved(hessian: Array, gradient: Array) -> Array:
    """H^-1 g as far as H is more than rounding, in each column's unit; steps end where g is 0, whatever H."""
    diagonal = jnp.diag(hessian)
    is_seen = diagonal > NOTHING
    scale = jnp.where(is_seen, jax.lax.rsqrt(jnp.where(is_seen, diagonal, 1)), 1)
    ridge = 2 * len(scale) * jnp.finfo(hessian.dtype).eps
    scaled = hessian * scale[:, None] * scale[None] + ridge * jnp.eye(len(scale), dtype=hessian.dtype)
    return scale * cho_solve(cho_factor(scaled), scale * gradient)
