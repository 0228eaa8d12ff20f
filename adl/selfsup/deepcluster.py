"""DeepCluster: clusters of the representations are the classes that the representations learn to tell.

    look    bank_i = normalised(embedder(x_i)),                         without views, over the whole set
    assign  centres by spherical k-means of the bank,             label_i = argmax_k centre_k . bank_i
    learn   loss = -log softmax(centres . normalised(embedder(view(x_i))) / temperature)_label_i

in turn. The centres are the classifier, as in the second version: no head that starts anew when clusters change.
Sources: Caron et al. 2018, arXiv:1807.05520; the second version, Caron et al. 2020, arXiv:2006.09882, appendix.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from adl.core import Algorithm, Key, Learner, Mean, PyTree, Rebuildable, alternate, border, descend, forward, gathered
from adl.measure.clustering import contingency, normalized_mutual_information
from adl.prob.clusters import members, moved, nearest, plus_plus
from adl.prob.labels import cross_entropy, is_correct
from adl.selfsup.embedder import Embedder, View, normalised


class Clustering(NamedTuple):
    """A learner and the classes that it made."""

    learner: Learner  # of an `Embedder`
    bank: Rebuildable  # of [N, P], unit projection of each example as it is looked at; 0: not yet, nor when learning
    centres: Array  # [K, P] of unit length
    label: Array  # [N] int32, the centre of each example; -1: none


@border.columns(index="int [B]")
def deepcluster(
    model: Embedder,
    tx: optax.GradientTransformation,
    *,
    num_examples: int,
    num_clusters: int,
    periods: tuple[int, int],
    view: View,
    temperature: float = 0.1,
    num_lloyd: int = 10,
    prepare: Callable[[Key, PyTree], Array] = lambda key, batch: batch["image"],
    axis: str | None = None,
) -> Algorithm:
    """Phases of looking, one step of assigning, and learning; the state is a `Clustering` within `Phases`.

    A batch is what `prepare` takes, with "index" `[B]` int, the index of an example in 0 ... N - 1 being always the
    same. An example that a look passes over has no class until the next, and counts in no cluster and no loss: look in
    the order of the data (`data.alternating`). The bank, large with the data, is empty while the network learns, and
    then no part of a checkpoint.

    Learning reports the descended `loss` in nats and the `accuracy` in [0, 1] with which the classes are told;
    assigning, from the second time on, the `stability`: normalised mutual information in [0, 1] of the classes with
    those of before.

    Args:
      model: encoder and projector, the latter to the space of the clusters.
      tx: optax transformation.
      num_examples: N, of which every device keeps the bank.
      num_clusters: K >= 2; several times as many as one would guess do no harm.
      periods: steps of looking, N / B for one look at each, and of learning.
      view: random view of what was prepared, in learning only.
      temperature: > 0, of the softmax over cosines.
      num_lloyd: steps of k-means a time, from a new start by k-means++.
      prepare: `prepare(key, batch) -> x [B, ...]` float, what the embedder and the views see.
      axis: as in `core.descend`; modules that normalise over the batch must know it too.
    """
    seen = border.prepared(lambda key, batch: (prepare(key, batch), batch["index"]))

    def init(key, batch):
        x, _ = seen(jax.random.fold_in(key, 1), batch)
        variables = model.init(key, x)
        dim = model.apply(variables, x[:1]).shape[-1]
        return Clustering(
            Learner.create(variables, tx),
            bank=Rebuildable.initial(jnp.zeros((num_examples, dim))),
            centres=jnp.zeros((num_clusters, dim)),
            label=jnp.full(num_examples, -1, jnp.int32),
        )

    def look(key, state, batch):
        x, index = seen(key, batch)
        with border.same_inputs():
            projection = normalised(model.apply(state.learner.variables, x))
        index, rows = gathered((index, projection), axis)
        return state._replace(bank=Rebuildable.in_use(state.bank.value.at[index].set(rows))), {}

    def assign(key, state, batch):
        key = gathered(key[None], axis)[0]  # all devices must come to the same clusters
        bank = state.bank.value
        seen = is_seen(bank)
        centres = spherical_kmeans(key, bank, seen, num_clusters, num_lloyd)
        label = jnp.where(seen > 0, nearest(bank, centres)[0], -1)
        before = contingency(state.label, label, num_x=num_clusters, num_y=num_clusters)
        metrics = {"stability": Mean.of(normalized_mutual_information(before), is_seen(state.centres[0]))}
        return Clustering(state.learner, Rebuildable.initial(jnp.zeros_like(bank)), centres, label), metrics

    def loss(key, params, extras, batch, centres, label, weight):
        view_key, dropout_key, prepare_key = jax.random.split(key, 3)
        x = view(view_key, seen(prepare_key, batch)[0])
        projection, extras = forward(model, dropout_key, params, extras, x)
        logits = jnp.matmul(normalised(projection), centres.T) / temperature
        losses, correct = cross_entropy(logits, label), is_correct(logits, label)
        return {"loss": Mean.of(losses, weight), "accuracy": Mean.of(correct, weight)}, extras

    update = descend(loss, tx, axis)

    def learn(key, state, batch):
        label = state.label[batch["index"]]
        learner, metrics = update(key, state.learner, batch, state.centres, label, label >= 0)
        return state._replace(learner=learner), metrics

    return alternate(init, (look, assign, learn), (periods[0], 1, periods[1]))


def spherical_kmeans(key: Array, x: Array, weight: Array, num_clusters: int, num_steps: int) -> Array:
    """`[K, P]` unit centres, from a start by k-means++: each is the direction of the mean of its points.

    Args:
      key: consumed.
      x: `[N, P]` of unit length, where they weigh anything.
      weight: `[N]`, >= 0.
      num_clusters: K >= 1.
      num_steps: of Lloyd's, >= 0.
    Source: Dhillon & Modha 2001, Machine Learning 42.
    """
    start = plus_plus(key, x, weight, num_clusters)
    return lax.fori_loop(0, num_steps, lambda _, c: normalised(moved(c, members(x, weight, c)[0])), start)


def is_seen(bank: Array) -> Array:
    """`[...]` 1.0 where a row of `bank [..., P]`, or a centre, is there already, 0.0 where it is still zero."""
    return (jnp.square(bank).sum(-1) > 0).astype(bank.dtype)
