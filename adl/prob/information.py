"""Divergences and distances between distributions, and what one variable says about another."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.special import digamma

from adl.core.types import Mean
from adl.prob.density import log_ball
from adl.prob.neighbours import squared_distances
from adl.prob.special import safe_log, safe_product


def entropy(p: Array) -> Array:
    """`[]` -sum p log p in nats of all entries of a table of probabilities, where 0 log 0 = 0."""
    return -safe_product(p, safe_log(p)).sum()


def kl(p: Array, q: Array) -> Array:
    """`[]` sum p log(p / q) >= 0 in nats of two tables of probabilities; infinite where q is 0 and p is not."""
    chex.assert_equal_shape([p, q])
    ratio = jnp.log(jnp.where(p > 0, p, 1)) - jnp.log(jnp.where(p > 0, q, 1))
    return jnp.where(p > 0, p * ratio, 0 * p).sum()  # nan stays nan


def mutual_information(joint: Array) -> Array:
    """`[]` KL(p(x, y) || p(x) p(y)) >= 0 in nats of a joint table `[X, Y]` of probabilities."""
    chex.assert_rank(joint, 2)
    log_shares = [
        jnp.log(jnp.where(p > 0, p, 1)) for p in (joint, joint.sum(1, keepdims=True), joint.sum(0, keepdims=True))
    ]
    # Apart, for the product of two probabilities may be out of float32's range.
    ratio = log_shares[0] - log_shares[1] - log_shares[2]
    return jnp.where(joint > 0, joint * ratio, 0 * joint).sum()


def total_variation(p: Array, q: Array, cell: Array | float = 1.0) -> Array:
    """`[...]` half the sum of |p - q| over places in [0, 1], times the distance of places where they are densities.

    Args:
      p: `[..., X]`.
      q: `[..., X]`.
      cell: between places of a grid that holds both; 1 of probabilities.
    """
    chex.assert_equal_rank([p, q])
    chex.assert_equal_shape_suffix([p, q], 1)
    return 0.5 * cell * jnp.abs(p - q).sum(-1)


def monte_carlo_kl(log_p: Callable[[Array], Array], log_q: Callable[[Array], Array], x: Array) -> Mean:
    """KL(p || q) in nats, estimated without bias from draws of p; each term is >= 0, so is the estimate.

    E_p[r - 1 - log r],   r = q(x) / p(x), of mean 1 where p is 0 nowhere that q is not

    Where q's tails are much heavier than p's, few draws decide it.

    Args:
      log_p: log-density of one x.
      log_q: of the same.
      x: `[N, ...]` draws of p.
    Source: Schulman 2020, Approximating KL Divergence.
    """
    log_ratio = jax.vmap(log_q)(x) - jax.vmap(log_p)(x)
    return Mean.of(jnp.expm1(log_ratio) - log_ratio)


def neighbour_entropy(x: Array, *, k: int = 3) -> Array:
    """`[]` differential entropy in nats, estimated from the distance of each point's k-th nearest other.

    psi(N) - psi(k) + log V_D + D mean log r

    Args:
      x: `[N, D]` points, no k + 1 of which agree.
      k: in 1 ... N - 1; more are less noisy and more blurred.
    Source: Kozachenko & Leonenko 1987, Problems of Information Transmission 23(2); Kraskov et al. 2004,
    arXiv:cond-mat/0305641, eq. 20.
    """
    chex.assert_rank(x, 2)
    n, dim = x.shape
    squared = -lax.top_k(-_others(squared_distances(x, x)), k)[0][:, -1]
    return digamma(float(n)) - digamma(float(k)) + log_ball(dim) + 0.5 * dim * jnp.log(squared).mean()


def neighbour_mutual_information(x: Array, y: Array, *, k: int = 3) -> Array:
    """`[]` mutual information of two continuous variables in nats, estimated from nearest neighbours.

    psi(k) + psi(N) - mean(psi(n_x + 1) + psi(n_y + 1)),   n_x the others closer in x than the k-th nearest in both

    Args:
      x: `[N, D]` points; distances are the larger of that in x and that in y.
      y: `[N, E]`, row by row with x, in a like unit. Where more than k rows agree in both there is no answer: nan.
      k: in 1 ... N - 1.
    Source: Kraskov, Stögbauer & Grassberger 2004, arXiv:cond-mat/0305641, eq. 8.
    """
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_prefix([x, y], 1)
    apart = [_others(jnp.abs(v[:, None] - v[None]).max(-1)) for v in (x, y)]
    reach = -lax.top_k(-jnp.maximum(*apart), k)[0][:, -1:]
    closer = [jnp.where(reach[:, 0] > 0, (distance < reach).sum(1) + 1.0, jnp.nan) for distance in apart]
    return digamma(float(k)) + digamma(float(len(x))) - sum(digamma(count) for count in closer).mean()


def _others(distances):
    """Distances `[N, N]` with that of each point to itself infinite."""
    return distances.at[jnp.diag_indices(len(distances))].set(jnp.inf)
