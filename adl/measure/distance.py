"""Distances between two samples, in whatever features they are given: of Gaussians fitted to both, and of a kernel.

    Frechet: |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x^(1/2) S_y S_x^(1/2))^(1/2))
    kernel:  E k(x, x') + E k(y, y') - 2 E k(x, y),   k(x, y) = (x . y / D + 1)^3

The first sees means and covariances only, and is too large by an amount that falls with the number of samples: compare
it among equally many. The second sees three moments, and is without bias for any number: it may fall below 0.
"""

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.prob.product import matmul

ROWS = 512  # of a matrix of kernels, at a time


def kernel_distance(x: Array, y: Array) -> Array:
    """`[]` squared maximum mean discrepancy of two samples by the cubic polynomial kernel, without bias.

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j),   k(x, y) = (x . y / D + 1)^3

    Args:
      x: `[N, D]` sample, N >= 2.
      y: `[M, D]` sample, M >= 2.
    Returns:
      In units of the kernel, 0 in expectation where both are of one distribution, and as often below it as above.
    Source: Gretton et al. 2012, JMLR 13, eq. 3; on pictures, with this kernel, Binkowski et al. 2018,
    arXiv:1801.01401, section 3.
    """
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    middle = y.mean(0)
    x, y = x - middle[None], y - middle[None]
    return _mean_kernel(x, x, middle) + _mean_kernel(y, y, middle) - 2 * _mean_kernel(x, y, middle)


def _mean_kernel(x, y, middle):
    """Mean of k less what depends on one of the two alone, which the difference does not see: large, it would cost all
    its digits. With s = m . m / D + 1, a = m . x / D, g = x . y / D of rows about the middle m, k = (s + a + a' + g)^3.
    """
    dim, is_same = x.shape[1], x is y
    s = jnp.square(middle).sum() / dim + 1
    a, b = matmul(x, middle) / dim, matmul(y, middle) / dim

    def row(one):
        x, a, i = one
        g = matmul(y, x) / dim
        whole = s + a + b
        kernel = 3 * a * b * (2 * s + a + b) + g * (3 * whole * (whole + g) + jnp.square(g))
        return jnp.where(jnp.arange(len(y)) == i, 0, kernel).sum() if is_same else kernel.sum()

    sums = lax.map(row, (x, a, jnp.arange(len(x))), batch_size=ROWS)
    return sums.sum() / (len(x) * (len(y) - is_same))


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
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    x, y = x - y[:1], y - y[:1]  # of what lies far from the origin the means, too, keep their digits
    unit = jnp.maximum(jnp.abs(x).max(), jnp.abs(y).max())
    unit = jnp.where(unit > 0, unit, 1)  # and a product of covariances its range
    x, y = x / unit, y / unit
    gap = jnp.square(x.mean(0) - y.mean(0)).sum()
    x, y = _root(x), _root(y)
    # tr((S_x^(1/2) S_y S_x^(1/2))^(1/2)) is the sum of the singular values of R_x R_y^T, where S = R^T R. The roots of
    # eigenvalues would make much of the rounding of those that are 0.
    overlap = _singular_values(matmul(x, y.T)).sum()
    return jnp.square(unit) * (gap + jnp.square(x).sum() + jnp.square(y).sum() - 2 * overlap)


def _root(rows):
    """`[min(N, D), D]`, R of S = R^T R."""
    centred = (rows - rows.mean(0, keepdims=True)) / jnp.sqrt(len(rows) - 1)
    return centred if len(rows) < rows.shape[1] else _triangle(centred)


# Of several seeds one matrix after the other. Of a batch LAPACK's kernel on CPU hands parts to the threads of the pool
# in which it waits for them: as many at once as there are threads, and all wait without an end.


@jax.custom_batching.sequential_vmap
def _triangle(rows):
    return jnp.linalg.qr(rows, mode="r")


@jax.custom_batching.sequential_vmap
def _singular_values(matrix):
    return jnp.linalg.svd(matrix, compute_uv=False)
