"""K-means: points belong to their nearest centre, centres lie in the middle of their points.

Each of Lloyd's steps lowers the distortion, the mean squared distance of a point to its nearest centre.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Key, Mean, PyTree, accumulate, border, trace
from adl.core.types import Array
from adl.prob.clusters import members, moved, plus_plus


@border.columns(x="float [B, D]", mask="[B]?")
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


def settled(num_clusters: int, num_steps: int) -> Callable[[Key, PyTree], Array]:
    """Start of a mixture, `start(key, batch) -> centres [K, D]`: by k-means++ and so many of Lloyd's steps.

    Args:
      num_clusters: K >= 1.
      num_steps: >= 0.
    """
    algorithm = kmeans(num_clusters)

    def start(key: Key, batch: PyTree) -> Array:
        init_key, key = jax.random.split(key)
        settle = trace(algorithm, num_steps, view=lambda centres: ())
        return settle(key, algorithm.init(init_key, batch), batch)[0]

    return start


def weighted(batch: Mapping[str, Array]) -> tuple[Array, Array]:
    """Points `x [B, D]` of a batch and their weights `[B]`: its "mask", or 1 for each."""
    return batch["x"], jnp.broadcast_to(batch.get("mask", jnp.float32(1)), batch["x"].shape[:1])
