"""Covariances by a square root, S = W W^T: positive whatever is rounded, and with twice the range of digits.

Conditioning on a coordinate takes its share out of each column of W in turn, as Givens' rotations would,

    a_j = a_{j-1} + f_j^2,   W_j <- sqrt(a_{j-1} / a_j) (W_j - sum_{i<j} W_i f_i f_j / a_{j-1}),   f its row of W

in which nothing that should stay positive is a difference: of a prior of variance 1e8 and a noise of 1e-4 the small one
is left. Columns that are known to be small go first.
Sources: Carlson 1973, AIAA Journal 11(9); Bierman 1977, Factorization Methods for Discrete Sequential Estimation, V.3.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array
from adl.prob.product import matmul


class Update(NamedTuple):
    """What is left of a Gaussian when something linear in it was seen."""

    gain: Array  # [D, E] the mean moves by gain (y - what was expected of y)
    root: Array  # [D, N] of the covariance that is left
    seen: Array  # [E, E] lower triangle, root of the covariance of y


def root_of(covariance: Array) -> Array:
    """Lower triangle `[D, D]` whose square is `covariance` `[D, D]`, symmetric and positive semi-definite; else nan.

    Coordinates of no variance are rows of 0. A singular matrix is rooted to float32's rounding of its diagonal.
    """
    scale = jnp.sqrt(_or_one(jnp.diagonal(covariance)))
    is_flat = jnp.diagonal(covariance) == 0
    unit = covariance / (scale[:, None] * scale[None]) + jnp.diag(is_flat.astype(covariance.dtype))
    fails = jnp.isnan(jnp.linalg.cholesky(lax.stop_gradient(unit))).any()
    least = jnp.where(fails, len(unit) * jnp.finfo(unit.dtype).eps, 0)
    lower = jnp.linalg.cholesky(unit + least * jnp.eye(len(unit), dtype=unit.dtype))
    return jnp.where(is_flat, 0, scale)[:, None] * lower


def condition(root: Array, matrix: Array, noise: Array) -> Update:
    """Of x ~ N(m, W W^T), after y = A x + e was seen, e ~ N(0, C C^T).

    Args:
      root: W `[D, N]`.
      matrix: A `[E, D]`.
      noise: C `[E, E]`, a lower triangle.
    """
    chex.assert_shape([root, matrix, noise], [(matrix.shape[1], None), (None, len(root)), (len(matrix), len(matrix))])
    size = len(matrix)
    above = jnp.concatenate([noise, matmul(matrix, root)], 1)
    below = jnp.concatenate([jnp.zeros((len(root), size), root.dtype), root], 1)
    columns, rest = eliminate(jnp.concatenate([above, below]), size)
    seen, across = columns[:size], columns[size:]
    gain = lax.linalg.triangular_solve(seen, across, left_side=False, lower=True)
    return Update(gain, rest[size:, size:], seen)  # the noise's columns are used up


def compress(root: Array) -> Array:
    """Lower triangle `[D, D]` with the square of `root` `[D, N]`: what grows by a noise's columns keeps its size."""
    return eliminate(root, len(root))[0]


def eliminate(root: Array, num: int) -> tuple[Array, Array]:
    """The first `num` coordinates taken out of a root, one by one.

    Args:
      root: W `[D, N]`.
      num: E <= D.
    Returns:
      `[D, E]` columns of the lower triangle with W's square; and `[D, N]`, a root of what these leave of it: of the
      covariance of the other coordinates given the first.
    """
    size = root.shape[1]
    before = jnp.triu(jnp.ones((size, size), root.dtype), 1)

    def take(root, i):
        row = root[i]
        row = row / lax.stop_gradient(_or_one(jnp.abs(row).max()))  # its unit cancels; its square may be out of range
        square = jnp.square(row)
        least = matmul(square, before)  # a_{j-1}
        total = least + square
        share = jnp.where(least > 0, jnp.sqrt(_or_one(least) / _or_one(total)), jnp.where(square > 0, 0, 1))
        carried = matmul(root * row[None], before) / _or_one(least)[None]
        whole = _or_one(total[-1])
        column = matmul(root, row) / jnp.sqrt(whole)
        return share[None] * (root - carried * row[None]), column

    rest, columns = lax.scan(take, root, jnp.arange(num))
    return columns.T, rest


def _or_one(x: Array) -> Array:
    return jnp.where(x > 0, x, 1)
