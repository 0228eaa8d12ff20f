"""Clusterings: how far two labellings of the same examples say the same, and what mixtures make of classes."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Mean, Probe, State, full_pass
from adl.prob.information import entropy

LEAST = 0.01  # weight from which on a component counts
AT_ONCE = 1000  # points


def soft_clustering(
    log_joint: Callable[[State, Array], Array],
    test: data.Split,
    *,
    num_clusters: int,
    log_prob: Callable[[State, Array], Array] | None = None,
    weights: Callable[[State], Array] | None = None,
) -> Probe:
    """Probe: how likely a mixture makes other points, and how far its components are the points' classes.

    Args:
      log_joint: `(state, x [B, D]) -> [B, K]` log p(x, k), up to a constant of x where `log_prob` is given.
      test: "x" and "label".
      num_clusters: K >= 1.
      log_prob: `(state, x) -> [B]` in nats; None: the sum of `log_joint` over the components.
      weights: `state -> [K]` >= 0, of sum 1: how much each component accounts for; None: untold.
    Returns:
      `probe(key, state)`: `loss`, the mean of -log p(x) in nats a point; `nmi` and `purity` in [0, 1], of the classes
      and the components that answer for most of each point; `responsibility` `[N, K]`; and of weights, `weights`
      themselves and `num_components`, how many are above `LEAST`.
    """

    def measure(key, state, batch):
        joint = log_joint(state, batch["x"])
        log_p = jax.nn.logsumexp(joint, -1) if log_prob is None else log_prob(state, batch["x"])
        return {"loss": Mean.of(-log_p, batch["mask"]), "responsibility": jax.nn.softmax(joint, -1)}

    def probe(carried, key, state):
        see, label = carried
        seen = see(key, state)
        counts = contingency(label, seen["responsibility"].argmax(-1), num_x=test.num_classes, num_y=num_clusters)
        found = {**seen, "nmi": Mean.of(normalized_mutual_information(counts)), "purity": Mean.of(purity(counts))}
        if weights is not None:
            held = weights(state)
            found |= {"weights": held, "num_components": Mean.of((held > LEAST).sum().astype(jnp.float32))}
        return found

    points = data.padded(data.Split({"x": test.arrays["x"]}), AT_ONCE)
    return Partial(probe, (full_pass(measure, points, len(test)), test.arrays["label"]))


def contingency(x: Array, y: Array, *, num_x: int, num_y: int) -> Array:
    """`[num_x, num_y]` how often labels `x [N]` in 0 ... num_x - 1 and `y [N]` in 0 ... num_y - 1 met; -1 is none."""
    chex.assert_rank([x, y], 1)
    chex.assert_equal_shape([x, y])
    return jax.nn.one_hot(x, num_x).T @ jax.nn.one_hot(y, num_y)


def normalized_mutual_information(counts: Array) -> Array:
    """`[]` mutual information of two labellings over the mean of their entropies: 0 independent, 1 the same partition.

    2 I(x, y) / (H(x) + H(y));  1 where both have one label only, and nan where nothing was counted.

    Args:
      counts: `[X, Y]` from `contingency`.
    Source: Vinh, Epps & Bailey 2010, JMLR 11, table 2.
    """
    chex.assert_rank(counts, 2)
    p = counts / counts.sum()
    separate = entropy(p.sum(0)) + entropy(p.sum(1))
    shared = 2 * (1 - entropy(p) / jnp.where(separate > 0, separate, 1))
    return jnp.where(separate > 0, shared, jnp.where(separate == 0, 1.0, jnp.nan))


def purity(counts: Array) -> Array:
    """`[]` accuracy in [0, 1] of calling each cluster by its most frequent class.

    Args:
      counts: `[X, Y]` from `contingency`, of classes and clusters.
    """
    chex.assert_rank(counts, 2)
    return counts.max(0).sum() / counts.sum()
