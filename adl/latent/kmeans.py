"""K-means: points belong to their nearest centre, centres lie in the middle of their points.

Each of Lloyd's steps lowers the distortion, the mean squared distance of a point to its nearest centre.
"""

from collections.abc import Mapping

import jax.numpy as jnp

from adl.core import Algorithm, Mean, accumulate
from adl.core.types import Array
from adl.prob.clusters import members, moved, plus_plus


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
        sums, distances = members(x, weight, centres)
        return sums, {"loss": Mean.of(distances, weight)}

    return Algorithm(init, accumulate(measure, moved, axis))


def weighted(batch: Mapping[str, Array]) -> tuple[Array, Array]:
    """Points `x [B, D]` of a batch and their weights `[B]`: its "mask", or 1 for each."""
    return batch["x"], jnp.broadcast_to(batch.get("mask", jnp.float32(1)), batch["x"].shape[:1])
