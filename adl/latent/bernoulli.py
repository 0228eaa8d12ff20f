"""The mixture of Bernoullis, p(x) = sum_k pi_k prod_d mu_kd^x_d (1 - mu_kd)^(1 - x_d), by expectation maximisation.

    E:  r_bk = p(k | x_b)
    M:  N_k = sum_b r_bk,   pi_k = N_k / N,   mu_k = (sum_b r_bk x_b + a) / (N_k + 2 a)

Coordinates are independent within a component, and depend on each other through it. With a > 0 it is the posterior
under Beta(1 + a, 1 + a) that no step lowers, with a = 0 the likelihood.
Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 9.47 to 9.60.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Key, Mean, accumulate, border, tree
from adl.core.types import Array
from adl.latent.kmeans import weighted
from adl.prob.product import matmul
from adl.prob.special import safe_log

NEVER = -1e30  # for the logarithm of 0, which no 0 may be multiplied by
TINY = 1e-6  # least probability of either outcome; points that a component counts besides its own


class BernoulliMixture(NamedTuple):
    """K components of D binary coordinates."""

    weights: Array  # [K] > 0, of sum 1
    means: Array  # [K, D] in (0, 1)


class _Sums(NamedTuple):
    """What an E-step counts."""

    count: Array  # [K] sum of r
    ones: Array  # [K, D] sum of r x


@border.columns(x="float [B, D]", mask="[B]?")
def bernoulli_mixture(num_components: int, *, pseudo_count: float = 0.0, axis: str | None = None) -> Algorithm:
    """Maximum likelihood, or a posteriori, by EM; the state is a `BernoulliMixture`.

    A batch is `{"x": [B, D]}` in {0, 1}, all points at every step, with an optional "mask" `[B]`, >= 0, that weighs
    them. Means start as random mixtures of all points. Reports the `loss`, -log p(x) before the step, in nats a point.

    Args:
      num_components: K >= 1.
      pseudo_count: a >= 0, ones and zeros that each coordinate of each component counts besides its own.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        x, weight = weighted(batch)
        r = jax.random.dirichlet(key, jnp.full(num_components, 1.0), (len(x),)) * weight[:, None]
        return _estimate(_Sums(r.sum(0), matmul(r.T, x)), pseudo_count)

    def measure(key, mixture, batch):
        x, weight = weighted(batch)
        joint = log_joint(mixture, x)
        log_p = jax.nn.logsumexp(joint, -1, keepdims=True)
        r = jnp.exp(joint - log_p) * weight[:, None]
        return _Sums(r.sum(0), matmul(r.T, x)), {"loss": Mean.of(-log_p[:, 0], weight)}

    def move(mixture, sums):
        new = _estimate(sums, pseudo_count)
        return new._replace(means=tree.where(sums.count > TINY, new.means, mixture.means))

    return Algorithm(init, accumulate(measure, move, axis))


def log_joint(mixture: BernoulliMixture, x: Array) -> Array:
    """log p(x, k) `[B, K]` of points `x [B, D]` in {0, 1} and components, in nats."""
    on, off = (jnp.maximum(safe_log(p), NEVER) for p in (mixture.means, 1 - mixture.means))
    log_p = matmul(x, on.T) + matmul(1 - x, off.T)
    return safe_log(mixture.weights)[None] + jnp.where(log_p > NEVER / 2, log_p, -jnp.inf)


def log_prob(mixture: BernoulliMixture, x: Array) -> Array:
    """log p(x) `[B]` of points `x [B, D]`, in nats."""
    return jax.nn.logsumexp(log_joint(mixture, x), -1)


def sample(key: Key, mixture: BernoulliMixture, n: int) -> Array:
    """`[n, D]` draws in {0, 1}: a component, then each coordinate by itself."""
    which_key, key = jax.random.split(key)
    which = jax.random.categorical(which_key, jnp.log(mixture.weights), shape=(n,))
    return jax.random.bernoulli(key, mixture.means[which]).astype(jnp.float32)


def _estimate(sums: _Sums, pseudo_count: float) -> BernoulliMixture:
    count = sums.count + TINY
    means = (sums.ones + pseudo_count + TINY / 2) / (count + 2 * pseudo_count)[:, None]
    return BernoulliMixture(count / count.sum(), means.clip(TINY, 1 - TINY))
