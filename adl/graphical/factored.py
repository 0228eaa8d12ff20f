"""Covariances as L D L^T, which no rule of the linear-Gaussian algebra can leave: nothing is subtracted from them.

With z = L_z u, u ~ N(0, D_z), and noise L_n v, v ~ N(0, D_n), every Gaussian that follows is rows of numbers times
(u, v), of which the variances are known. To make such rows triangular again is to condition each on those before it:

    x = H z + n,   z:   [H L_z  L_n; L_z  0]  =  [L_x  0; C  L_z|x] Q,   Q with orthogonal rows of variances D

L_x D_x L_x^T is the variance of x, C L_x^-1 the gain, and L_z|x D_z|x L_z|x^T what is left of z's, positive however
much wider the prior is than the noise. Without square roots a variance may be 0, and a gradient passes.
Sources: Bierman 1977, Factorization Methods for Discrete Sequential Estimation, chapters V and VI; the rows are made
orthogonal by modified Gram-Schmidt with weights, of Thornton & Bierman 1977, Automatica 13(4).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array
from adl.prob.product import matmul
from adl.prob.special import safe_ratio

UNROLLED = 4


class Factored(NamedTuple):
    """The covariance unit diag(scale) unit^T."""

    unit: Array  # [D, D] lower triangular, 1 on the diagonal
    scale: Array  # [D] >= 0

    def covariance(self) -> Array:
        """`[D, D]`, positive semi-definite, symmetric."""
        root = self.root()
        return matmul(root, root.T)

    def root(self) -> Array:
        """`[D, D]` lower triangular, whose product with its transpose is the covariance."""
        return self.unit * jnp.sqrt(self.scale)[None]


class Observation(NamedTuple):
    """What x = H z + n tells of z."""

    told: Factored  # [E] of x
    across: Array  # [D, E] z moves by across told.unit^-1 (x - its mean)
    rest: Factored  # [D] of z given x

    def gain(self) -> Array:
        """`[D, E]` what z moves by for each unit of x."""
        root = self.told.unit.T
        return jax.scipy.linalg.solve_triangular(root, self.across.T, unit_diagonal=True).T


def factored(covariance: Array) -> Factored:
    """Of `[D, D]`, symmetric and positive semi-definite; a pivot that is negative beyond rounding gives nan."""
    covariance = (covariance + covariance.T) / 2
    rounding = 4 * len(covariance) * jnp.finfo(covariance.dtype).eps

    def eliminate(rest, _):
        rest, own = rest
        pivot = jnp.where(rest[0, 0] >= -rounding * own[0], jnp.maximum(rest[0, 0], 0), jnp.nan)
        column = safe_ratio(rest[:, 0], pivot)
        rest = rest - column[:, None] * rest[:1]
        return (jnp.roll(rest, (-1, -1), (0, 1)), jnp.roll(own, -1)), (column, pivot)

    return _triangle(eliminate, (covariance, jnp.diagonal(covariance)), len(covariance))


def triangular(rows: Array, scale: Array) -> Factored:
    """Of rows `[D, M]` times independent numbers of variances `scale [M]` >= 0."""

    def orthogonalise(rows, _):
        weighted = scale * rows[0]
        size = (weighted * rows[0]).sum()
        column = safe_ratio((rows * weighted[None]).sum(1), size)
        return jnp.roll(rows - column[:, None] * rows[:1], -1, 0), (column, size)

    return _triangle(orthogonalise, rows, len(rows))


def evidence(matrix: Array, noise: Factored, prior: Factored) -> Observation:
    """What x = matrix z + n `[E]` tells of z ~ `prior` `[D]`, n ~ `noise` `[E]`; means aside."""
    size, dim = matrix.shape
    seen = jnp.concatenate([matmul(matrix, prior.unit), noise.unit], 1)
    own = jnp.concatenate([prior.unit, jnp.zeros((dim, size), prior.unit.dtype)], 1)
    both = triangular(jnp.concatenate([seen, own]), jnp.concatenate([prior.scale, noise.scale]))
    first, last = slice(size), slice(size, None)
    return Observation(
        Factored(both.unit[first, first], both.scale[first]),
        both.unit[last, first],
        Factored(both.unit[last, last], both.scale[last]),
    )


def moved(matrix: Array, noise: Factored, prior: Factored) -> Factored:
    """Of matrix z + n `[E]`, with z ~ `prior` `[D]`, n ~ `noise` `[E]`."""
    rows = jnp.concatenate([matmul(matrix, prior.unit), noise.unit], 1)
    return triangular(rows, jnp.concatenate([prior.scale, noise.scale]))


def _triangle(step, start, size: int) -> Factored:
    """Columns from steps that each deal with the first row left, and turn it to the end."""
    _, (columns, scale) = lax.scan(step, start, length=size)
    below = jax.vmap(jnp.roll)(columns, jnp.arange(size)).T
    return Factored(jnp.tril(below, -1) + jnp.eye(size, dtype=below.dtype), scale)
