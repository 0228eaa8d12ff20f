"""Count, mean and scatter of points: all that linear-Gaussian models want to know of them.

Sums have no order: any split of the points into batches, on any number of devices, leads to the same moments.
"""

from typing import NamedTuple

import jax.numpy as jnp

from adl.core.types import Array
from adl.prob.product import matmul


class Moments(NamedTuple):
    """Of weighted points in D dimensions; or, before `merged`, sums about a place that is not their mean."""

    count: Array  # [] sum of the weights
    mean: Array  # [D]; of sums: the sum of x - place
    scatter: Array  # [D, D] sum of (x - mean) (x - mean)^T; of sums: about the place

    def covariance(self, *, correction: float = 0.0) -> Array:
        """`[D, D]` scatter / (count - correction): maximum likelihood with 0, without bias with 1."""
        return self.scatter / (self.count - correction)


def nothing(x: Array, weight: Array) -> Moments:
    """Moments of no points, to count from: near the points `x [B, D]`, of weights `[B]`, nothing cancels."""
    total = weight.sum()
    mean = matmul(weight, x) / jnp.where(total > 0, total, 1)
    return Moments(jnp.zeros_like(mean, shape=()), mean, jnp.zeros_like(mean, shape=(x.shape[1],) * 2))


def sums(x: Array, weight: Array, place: Array) -> Moments:
    """Sums about a place.

    Args:
      x: `[B, D]` points.
      weight: `[B]` of the points, >= 0.
      place: `[D]`.
    """
    away = x - place[None]
    weighted = away * weight[:, None]
    return Moments(weight.sum(), weighted.sum(0), matmul(weighted.T, away))


def merged(moments: Moments, more: Moments) -> Moments:
    """Moments of the points so far and of those that the sums `more` are about, taken about the mean so far."""
    count = moments.count + more.count
    shift = more.mean / jnp.where(count > 0, count, 1)
    scatter = moments.scatter + more.scatter - more.mean[:, None] * shift[None]
    return Moments(count, moments.mean + shift, scatter)


def joined(moments: Moments, more: Moments) -> Moments:
    """Moments of two sets of points, each about its own mean: positive by form, and exact if the sets lie far apart.

    Source: Chan, Golub & LeVeque 1983, The American Statistician 37(3), eq. 1.5.
    """
    count = moments.count + more.count
    share = more.count / jnp.where(count > 0, count, 1)
    # A set without points has no place.
    away = jnp.where(more.count > 0, more.mean - moments.mean, 0)
    scatter = moments.scatter + more.scatter + moments.count * share * away[:, None] * away[None]
    return Moments(count, moments.mean + share * away, scatter)


def of(x: Array, weight: Array) -> Moments:
    """Moments of points `x [B, D]` of weights `[B]`, at once."""
    empty = nothing(x, weight)
    return merged(empty, sums(x, weight, empty.mean))


def invertible(covariance: Array) -> Array:
    """`[D, D]` what has a Cholesky root: variances greater by rounding, and 1 of coordinates that do not vary."""
    variance = jnp.diag(covariance)
    ridge = 2 * len(variance) * jnp.finfo(covariance.dtype).eps * variance
    return covariance + jnp.diag(jnp.where(variance > 0, ridge, 1))
