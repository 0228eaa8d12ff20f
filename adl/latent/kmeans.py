"""K-means: points belong to their nearest centre, centres lie in the middle of their points.

Each of Lloyd's steps lowers the distortion, the mean squared distance of a point to its nearest centre.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Key, Mean, accumulate
from adl.core.types import Array
from adl.prob.neighbours import squared_distances


def kmeans(num_clusters: int, *, axis: str | None = None) -> Algorithm:
    """Lloyd's algorithm from a start by k-means++; the state is the centres `[K, D]`.

    A batch is `{"x": [B, D]}`, in the default use all points at every step; an optional "mask" `[B]`, >= 0, weighs the
    points. A centre without points stays. Reports the `loss`: the distortion before the step, in squared units of x.

    Args:
      num_clusters: K >= 1.
      axis: as in `core.accumulate`.
    Source: Lloyd 1982, IEEE Transactions on Information Theory 28(2).
    """

    def init(key, batch):
        x, weight = weighted(batch)
        return plus_plus(key, x, weight, num_clusters)

    def measure(key, centres, batch):
        x, weight = weighted(batch)
        index, distances = nearest(x, centres)
        member = jax.nn.one_hot(index, num_clusters) * weight[:, None]
        middle = centres.mean(0, keepdims=True)
        total = jnp.matmul(member.T, x - middle, precision=lax.Precision.HIGHEST)
        return (total, member.sum(0)), {"loss": Mean.of(distances, weight)}

    def move(centres, sums):
        total, count = sums[0], sums[1][:, None]
        middle = centres.mean(0, keepdims=True)
        return jnp.where(count > 0, middle + total / jnp.where(count > 0, count, 1), centres)

    return Algorithm(init, accumulate(measure, move, axis))


def weighted(batch: Mapping[str, Array]) -> tuple[Array, Array]:
    """Points `x [B, D]` of a batch and their weights `[B]`: its "mask", or 1 for each."""
    return batch["x"], jnp.broadcast_to(batch.get("mask", jnp.float32(1)), batch["x"].shape[:1])


def nearest(x: Array, centres: Array) -> tuple[Array, Array]:
    """Index `[B]` of the nearest centre to each point, and the squared distance `[B]` to it.

    Args:
      x: `[B, D]` points.
      centres: `[K, D]`.
    """
    middle = centres.mean(0, keepdims=True)  # far from the origin the squares within would cancel
    distances = squared_distances(x - middle, centres - middle)
    least = distances.min(1)
    # distances.argmin(1), which takes ten times as long on CPU.
    index = jnp.where(distances <= least[:, None], jnp.arange(len(centres))[None], len(centres) - 1).min(1)
    return index, least


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
    num_trials = 2 + int(math.log(num_clusters))

    def draw(key, weight, n):
        return jnp.take(x, jax.random.choice(key, len(x), (n,), p=weight), axis=0)

    def add(distances, key):
        tried = draw(key, weight * distances, num_trials)
        left = jnp.minimum(distances[None], jnp.square(x[None] - tried[:, None]).sum(-1))
        best = jnp.matmul(left, weight, precision=lax.Precision.HIGHEST).argmin()
        return left[best], tried[best]

    keys = jax.random.split(key, num_clusters)
    first = draw(keys[0], weight, 1)
    _, others = lax.scan(add, jnp.square(x - first).sum(-1), keys[1:])
    return jnp.concatenate([first, others])
