"""The Bayesian mixture of Gaussians by variational Bayes: components that the points do not need lose their weight.

    pi ~ Dirichlet(a0),   Lambda_k ~ Wishart(W0, v0),   mu_k | Lambda_k ~ N(m0, (b0 Lambda_k)^-1)
    q(assignments) q(pi) prod_k q(mu_k, Lambda_k)   maximises   ELBO <= log p(X)

    E:  log r_bk = E[log pi_k] + E[log |Lambda_k|] / 2 - D / 2 log 2 pi - (D / b_k + v_k |x_b - m_k|^2 in W_k) / 2 - ...
    M:  a = a0 + N,  b = b0 + N,  v = v0 + N,  m = (b0 m0 + N xbar) / b,
        W^-1 = W0^-1 + N S + b0 N / b (xbar - m0) (xbar - m0)^T

A step is both. With one component the posterior is exact, and the bound is the evidence.
Sources: Attias 1999, UAI 15; Bishop 2006, Pattern Recognition and Machine Learning, section 10.2.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import digamma, gammaln

from adl.core import Algorithm, Key, Mean, PyTree, border
from adl.core.types import Array
from adl.latent.kmeans import kmeans, weighted
from adl.latent.mixture import FAMILIES, Fit, GaussianMixture, component_sums
from adl.prob import moments
from adl.prob.clusters import nearest
from adl.prob.distributions import student_t_log_prob

FULL = FAMILIES["full"]


class MixturePosterior(NamedTuple):
    """q(pi) and q(mu, Lambda) of K components in D dimensions, and the prior that they share."""

    concentration: Array  # [K] a
    count: Array  # [K] b
    means: Array  # [K, D] m
    dof: Array  # [K] v
    scatter: Array  # [K, D, D] W^-1
    prior_mean: Array  # [D] m0
    prior_scatter: Array  # [D, D] W0^-1


@border.columns(x="float [B, D]", mask="[B]?")
def variational_mixture(
    num_components: int,
    *,
    concentration: float | None = None,
    prior_count: float = 1.0,
    start: Callable[[Key, PyTree], Array] | None = None,
    axis: str | None = None,
) -> Algorithm:
    """Variational Bayes with full covariances; the state is the `MixturePosterior`.

    A batch is `{"x": [B, D]}`, all points at every step, with an optional "mask" `[B]`, >= 0, that weighs them. The
    prior takes its mean and its scatter, as of v0 = D points, from the first batch; a column that does not vary there
    is taken for one of variance 1, and tells no component from another. Reports the `loss`, -ELBO / N
    before the step, in nats a point, which no step raises; of columns that tell the same it is known to 0.1 in float32.

    Args:
      num_components: K >= 1, more than are needed.
      concentration: a0 > 0, 1 / K by default; the smaller, the fewer components keep a weight.
      prior_count: b0 > 0, points that the prior mean of each component is worth.
      start: `start(key, batch) -> centres [K, D]`, k-means++ by default; the first posterior is that of the points
        nearest to each.
      axis: as in `core.accumulate`.
    """
    start = start or kmeans(num_components).init
    a0 = 1 / num_components if concentration is None else concentration

    def move(q, sums):
        n = sums.count
        away = sums.mean - q.prior_mean[None]
        b = prior_count + n
        apart = (prior_count * n / b)[:, None, None] * away[:, :, None] * away[:, None]
        scatter = q.prior_scatter[None] + sums.scatter + apart
        return q._replace(
            concentration=a0 + n,
            count=b,
            means=q.prior_mean[None] + (n / b)[:, None] * away,
            dof=len(q.prior_mean) + n,
            scatter=jax.vmap(moments.invertible)((scatter + scatter.swapaxes(1, 2)) / 2),
        )

    def init(key, batch):
        x, weight = weighted(batch)
        centres, seen = start(key, batch), moments.of(x, weight)
        member = jax.nn.one_hot(nearest(x, centres)[0], num_components) * weight[:, None]
        k = jnp.zeros(num_components)
        before = MixturePosterior(
            k,
            k,
            centres,
            k,
            jnp.zeros((num_components, *seen.scatter.shape)),
            seen.mean,
            moments.invertible(seen.covariance(correction=1.0)),
        )
        return move(before, component_sums(FULL, centres, x, member))

    def step(key, q, batch):
        x, weight = weighted(batch)
        joint = expected_log_joint(q, x)
        log_p = jax.nn.logsumexp(joint, -1, keepdims=True)
        sums = component_sums(FULL, q.means, x, jnp.exp(joint - log_p) * weight[:, None], axis)
        # The parameters' divergence is shared out among the points that they were learned from.
        share = divergence(q, concentration=a0, prior_count=prior_count) / (q.concentration - a0).sum()
        return move(q, sums), {"loss": Mean.of(share - log_p[:, 0], weight)}

    return Algorithm(init, step)


def expected_log_joint(q: MixturePosterior, x: Array) -> Array:
    """E[log p(x, k | parameters)] `[B, K]` under q, of points `x [B, D]`, in nats; softmax gives q(k) of each.

    Source: Bishop 2006, eq. 10.46, 10.64 to 10.66.
    """
    dim = x.shape[-1]
    distances, log_det = FULL.distances(x, q.means, q.scatter)
    log_pi = digamma(q.concentration) - digamma(q.concentration.sum())
    constant = log_pi + 0.5 * (_expected_log_det(q.dof, -log_det, dim) - dim * jnp.log(2 * jnp.pi) - dim / q.count)
    return constant[None] - 0.5 * q.dof[None] * distances


def divergence(q: MixturePosterior, *, concentration: float, prior_count: float) -> Array:
    """KL(q(parameters) || p(parameters)) `[]` >= 0 in nats; ELBO is the sum of log sum_k exp E[log p(x, k)], less it.

    Args:
      q: the posterior.
      concentration: a0 of the prior.
      prior_count: b0 of the prior.
    Source: Bishop 2006, eq. 10.73, 10.74, 10.76, 10.77.
    """
    num, dim = q.means.shape
    a, total = q.concentration, q.concentration.sum()
    shares = gammaln(total) - gammaln(a).sum() - gammaln(num * concentration) + num * gammaln(concentration)
    shares = shares + ((a - concentration) * (digamma(a) - digamma(total))).sum()

    def component(count, mean, dof, scatter):
        root = jnp.linalg.cholesky(scatter)
        log_det = -2 * jnp.log(jnp.diagonal(root)).sum()  # of W
        log_precision = _expected_log_det(dof, log_det, dim)
        apart = jnp.square(solve_triangular(root, mean - q.prior_mean, lower=True)).sum()
        ratio = prior_count / count
        location = 0.5 * (dim * (ratio - 1 - jnp.log(ratio)) + prior_count * dof * apart)
        inside = solve_triangular(root, jnp.linalg.cholesky(q.prior_scatter), lower=True)
        scale = 0.5 * ((dof - dim) * log_precision - dof * dim + dof * jnp.square(inside).sum())
        before = 2 * jnp.log(jnp.diagonal(jnp.linalg.cholesky(q.prior_scatter))).sum()
        return location + scale + _log_wishart(dof, log_det, dim) - _log_wishart(float(dim), -before, dim)

    return shares + jax.vmap(component)(q.count, q.means, q.dof, q.scatter).sum()


def log_predictive(q: MixturePosterior, x: Array) -> Array:
    """log p(x | X) `[B]` of new points `x [B, D]`, in nats: a mixture of Student's t.

    Source: Bishop 2006, eq. 10.81 and 10.82.
    """
    dim = x.shape[-1]
    dof = q.dof + 1 - dim
    shape = q.scatter * ((1 + q.count) / (q.count * dof))[:, None, None]
    distances, log_det = FULL.distances(x, q.means, shape)
    # log Gamma((v + D) / 2) - log Gamma(v / 2) - D / 2 log pi, a half at a time: in float32 their difference is lost.
    halves = dof[:, None] + jnp.arange(dim)[None]
    zero = jnp.zeros_like(halves)
    height = (student_t_log_prob(zero, zero, zero, halves) + 0.5 * jnp.log(halves)).sum(1)
    log_t = height - 0.5 * (log_det + dim * jnp.log(dof))
    log_t = log_t[None] - 0.5 * (dof + dim)[None] * jnp.log1p(distances / dof[None])
    return jax.nn.logsumexp(jnp.log(weights(q))[None] + log_t, -1)


def weights(q: MixturePosterior) -> Array:
    """E[pi] `[K]`, of sum 1: near 0 where no points are left."""
    return q.concentration / q.concentration.sum()


def by_bound(num_components: int, *, concentration: float, prior_count: float = 1.0) -> Fit:
    """`variational_mixture`, and what it says, in expectation; arguments as there."""
    prior = {"concentration": concentration, "prior_count": prior_count}

    def bound(q, x):
        return jax.nn.logsumexp(expected_log_joint(q, x), -1).mean() - divergence(q, **prior) / len(x)

    return Fit(
        partial(variational_mixture, num_components, **prior),
        lambda q: GaussianMixture(weights(q), q.means, q.scatter / q.dof[:, None, None]),
        expected_log_joint,
        log_predictive,
        bound,
    )


def _expected_log_det(dof: Array, log_det: Array, dim: int) -> Array:
    """E[log |Lambda|] `[...]` of Wishart(W, dof) with the log determinant of W."""
    parts = digamma((dof[..., None] - jnp.broadcast_to(jnp.arange(dim), (*jnp.shape(dof), dim))) / 2)
    return parts.sum(-1) + dim * jnp.log(2.0) + log_det


def _log_wishart(dof: Array, log_det: Array, dim: int) -> Array:
    """log B(W, dof) `[]`, of the density's constant."""
    gammas = gammaln((dof - jnp.arange(dim)) / 2).sum() + dim * (dim - 1) / 4 * jnp.log(jnp.pi)
    return -0.5 * dof * (log_det + dim * jnp.log(2.0)) - gammas
