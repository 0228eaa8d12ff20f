"""Clusters: points belong to their nearest centre, centres lie in the middle of their points."""

import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key
from adl.prob.neighbours import squared_distances
from adl.prob.product import matmul


class Members(NamedTuple):
    """What a step of Lloyd's counts; of disjoint points, sums about the same centres add."""

    total: Array  # [K, D] sum of the points that belong to each centre, each less that centre
    count: Array  # [K] of their weights


def members(x: Array, weight: Array, centres: Array) -> tuple[Members, Array]:
    """Sums over the points that belong to each centre, and the squared distance `[B]` of each point to its own.

    Args:
      x: `[B, D]` points.
      weight: `[B]` of the points, >= 0.
      centres: `[K, D]`.
    """
    chex.assert_rank([x, weight, centres], [2, 1, 2])
    chex.assert_equal_shape_prefix([x, weight], 1)
    chex.assert_equal_shape_suffix([x, centres], 1)
    index, distances = nearest(x, centres)
    away = x - centres[index]  # however far apart the centres are, sums about one's own keep their digits

    def product(away, weight, index):
        member = jax.nn.one_hot(index, len(centres)) * weight[:, None]
        return Members(matmul(member.T, away), member.sum(0))

    def row_by_row(away, weight, index):
        zero = Members(jnp.zeros_like(centres), jnp.zeros_like(centres[:, 0]))
        return Members(zero.total.at[index].add(away * weight[:, None]), zero.count.at[index].add(weight))

    # On CPU the product takes 25 times as long; elsewhere adding rows would be the slower, and in no fixed order.
    return lax.platform_dependent(away, weight, index, cpu=row_by_row, default=product), distances


def moved(centres: Array, sums: Members) -> Array:
    """`[K, D]` the mean of the points that belong to each centre; one without points stays.

    Args:
      centres: `[K, D]` about which the sums were taken.
      sums: over all points.
    Source: Lloyd 1982, IEEE Transactions on Information Theory 28(2).
    """
    count = sums.count[:, None]
    return centres + sums.total / jnp.where(count > 0, count, 1)


def nearest(x: Array, centres: Array) -> tuple[Array, Array]:
    """Index `[B]` of the nearest centre to each point, and the squared distance `[B]` to it.

    The distance is right to float32's digits; the index, where `squared_distances` tells the two nearest apart.

    Args:
      x: `[B, D]` points.
      centres: `[K, D]`.
    """
    chex.assert_rank([x, centres], 2)
    chex.assert_equal_shape_suffix([x, centres], 1)
    distances = squared_distances(x, centres)
    least = distances.min(1)
    # distances.argmin(1), which takes ten times as long on CPU.
    index = jnp.where(distances <= least[:, None], jnp.arange(len(centres))[None], len(centres) - 1).min(1)
    return index, jnp.square(x - centres[index]).sum(-1)


def plus_plus(key: Key, x: Array, weight: Array, num_clusters: int) -> Array:
    """`[K, D]` centres among the points, far from each other: greedy k-means++.

    The first is any point, each next one a point drawn with probability in proportion to its squared distance from
    the nearest centre so far; of 2 + log K such draws the one that leaves the smallest sum of squared distances.

    Args:
      key: consumed.
      x: `[B, D]` points.
      weight: `[B]` of the points, >= 0.
      num_clusters: K >= 1.
    Source: Arthur & Vassilvitskii 2007, SODA, section 2.2; the greedy choice is of its section 7.
    """
    chex.assert_rank([x, weight], [2, 1])
    chex.assert_equal_shape_prefix([x, weight], 1)
    num_trials = 2 + int(math.log(num_clusters))

    def draw(key, weight, n):
        return jnp.take(x, jax.random.choice(key, len(x), (n,), p=weight), axis=0)

    def add(distances, key):
        tried = draw(key, weight * distances, num_trials)
        left = jnp.minimum(distances[None], jnp.square(x[None] - tried[:, None]).sum(-1))
        best = matmul(left, weight).argmin()
        return left[best], tried[best]

    keys = jax.random.split(key, num_clusters)
    first = draw(keys[0], weight, 1)
    _, others = lax.scan(add, jnp.square(x - first).sum(-1), keys[1:])
    return jnp.concatenate([first, others])
