"""Divergences and distances between distributions."""

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


def _covariance(x):
    centred = x - x.mean(0, keepdims=True)
    return centred.T @ centred / (len(x) - 1)


def _square_root(matrix):
    values, vectors = jnp.linalg.eigh(matrix)
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))[None]) @ vectors.T
