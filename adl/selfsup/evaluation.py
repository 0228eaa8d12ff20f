"""What self-supervised learning is judged by besides the linear probe: its clusters against the classes of people."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Mean, Probe, State
from adl.core.lift import Phases
from adl.core.types import PyTree
from adl.measure.clustering import contingency, normalized_mutual_information
from adl.prob.clusters import nearest
from adl.selfsup.deepcluster import is_seen, spherical_kmeans
from adl.selfsup.embedder import Embedder, normalised, pixels


def clusters(
    embedder: Embedder, batch: PyTree, *, num_classes: int, num_clusters: int, encode: Callable[[Array], Array]
) -> Probe:
    """Probe of `deepcluster`: the classes that the network learns now, against those that people see.

    Args:
      embedder: as in `deepcluster`.
      batch: all training examples in their order, "image" `[N, ...]` and "label" `[N]` in 0 ... K - 1.
      num_classes: K.
      num_clusters: C.
      encode: from pictures to what the embedder sees, as `encoded` has it.
    Returns:
      `probe(key, state)`: `nmi`, normalised mutual information, of which there is none before the first assignment;
      `counts` `[K, C]` how often class and cluster met; and of each example the `label` `[N]` of its cluster, and its
      `closeness` `[N]`, the cosine with the cluster's centre.
    """

    def probe(batch, key: Key, state: Phases) -> dict[str, Mean | Array]:
        found = state.state
        counts = contingency(batch["label"], found.label, num_x=num_classes, num_y=num_clusters)
        projection = normalised(embedder.apply(found.learner.variables, encode(batch["image"])))
        return {
            "nmi": Mean.of(normalized_mutual_information(counts), is_seen(found.centres[0])),
            "counts": counts,
            "label": found.label,
            "closeness": jnp.einsum("np,np->n", projection, found.centres[found.label]),
        }

    return Partial(probe, batch)


def clusters_of_pixels(
    batch: PyTree, *, num_classes: int, num_clusters: int, encode: Callable[[Array], Array], num_steps: int = 100
) -> Probe:
    """Probe of the baseline: `nmi` of clusters of the pictures themselves, by the same k-means.

    Args:
      batch: as in `clusters`.
      num_classes: as in `clusters`.
      num_clusters: as in `clusters`.
      encode: as in `clusters`.
      num_steps: of Lloyd's.
    """

    def probe(batch, key: Key, state: State) -> dict[str, Mean]:
        x = normalised(pixels(encode)(key, state, batch["image"]))
        centres = spherical_kmeans(key, x, jnp.ones(len(x)), num_clusters, num_steps)
        counts = contingency(batch["label"], nearest(x, centres)[0], num_x=num_classes, num_y=num_clusters)
        return {"nmi": Mean.of(normalized_mutual_information(counts))}

    return Partial(probe, batch)
