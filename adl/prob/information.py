"""Divergences and distances between distributions, and what one variable says about another."""

import jax
import jax.numpy as jnp
from jax import Array


def frechet_distance(x: Array, y: Array) -> Array:
    """`[]` squared 2-Wasserstein distance between the Gaussians fitted to two samples.

    |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x^(1/2) S_y S_x^(1/2))^(1/2))

    Args:
      x: `[N, D]` sample, whose mean m_x and unbiased covariance S_x are taken.
      y: `[M, D]` sample.
    Returns:
      In squared units of the data, >= 0 up to rounding; 0 where means and covariances agree.
    Source: Dowson & Landau 1982, Journal of Multivariate Analysis 12(3), eq. 16; on pictures, Heusel et al. 2017,
    arXiv:1706.08500.
    """
    root = _square_root(_covariance(x))
    cross = root @ _covariance(y) @ root
    # tr(A^(1/2)) is the sum of roots of eigenvalues; no matrix need be rooted, and rank deficiency does no harm.
    overlap = jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(cross), 0)).sum()
    gap = jnp.square(x.mean(0) - y.mean(0)).sum()
    return gap + jnp.trace(_covariance(x)) + jnp.trace(_covariance(y)) - 2 * overlap


def contingency(x: Array, y: Array, *, num_x: int, num_y: int) -> Array:
    """`[num_x, num_y]` how often the labels `x [N]` in 0 ... num_x - 1 and `y [N]` in 0 ... num_y - 1 met."""
    return jax.nn.one_hot(x, num_x).T @ jax.nn.one_hot(y, num_y)


def normalized_mutual_information(counts: Array) -> Array:
    """`[]` mutual information of two labellings over the mean of their entropies: 0 independent, 1 the same partition.

    2 I(x, y) / (H(x) + H(y));  1 where both have one label only.

    Args:
      counts: `[X, Y]` from `contingency`.
    Source: Vinh, Epps & Bailey 2010, JMLR 11, table 2.
    """
    p = counts / counts.sum()

    def entropy(p):
        return -jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0).sum()

    separate = entropy(p.sum(0)) + entropy(p.sum(1))
    return jnp.where(separate > 0, 2 * (1 - entropy(p) / jnp.where(separate > 0, separate, 1)), 1.0)


def purity(counts: Array) -> Array:
    """`[]` accuracy in [0, 1] of calling each cluster by its most frequent class.

    Args:
      counts: `[X, Y]` from `contingency`, of classes and clusters.
    """
    return counts.max(0).sum() / counts.sum()


def _covariance(x):
    centred = x - x.mean(0, keepdims=True)
    return centred.T @ centred / (len(x) - 1)


def _square_root(matrix):
    values, vectors = jnp.linalg.eigh(matrix)
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))[None]) @ vectors.T
