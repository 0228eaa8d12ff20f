"""A classifier that is an energy: its log-odds say p(y|x), and their sum over classes p(x).

    f(x) [K] outputs,   p(x, y) ~ exp(f(x)_y),   p(y|x) = softmax f(x),   E(x) = -log sum_y exp f(x)_y
    loss = -log p(y|x) + weight (E(x+) - E(x-)),   x- from chains that follow p(x)

Without the second term nothing holds what a classifier says of pictures unlike its data; with it p(x) tells these.
Source: Grathwohl et al. 2020, arXiv:1912.03263, eq. 5, 7 and algorithm 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.tree_util import Partial

from adl.core import Algorithm, Mean, Probe, border, forward
from adl.core.types import Array, Key, PyTree
from adl.energy.contrastive_divergence import Follower, Kernel, Points, contrast, followed
from adl.measure import calibration
from adl.sampling.langevin import Sampler


def joint_energy(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    sampler: Sampler | Kernel,
    num_chains: int,
    weight: float = 1.0,
    restart: float = 0.05,
    noise: Callable[[Key, tuple[int, ...]], Array] = jax.random.normal,
    alpha: float = 0.0,
    prepare: Callable[[Key, PyTree], tuple[Array, Array]] = lambda key, batch: batch,
    axis: str | None = None,
) -> Algorithm:
    """A joint energy of examples and classes; state is a `Follower`, whose chains are of p(x).

    Metrics are those of `persistent_contrastive_divergence`, where "loss" is the whole, and "nll" of the
    classes of the data.

    Args:
      model: `(x [B, ...], label [B] or None) -> E(x, y) or E(x) [B]` in nats: `tilt.Tilted`.
      tx: optax transformation.
      sampler: as in `contrastive_divergence`.
      num_chains: as in `persistent_contrastive_divergence`.
      weight: >= 0, of the density; 0 is a classifier.
      restart: as in `persistent_contrastive_divergence`.
      noise: as in `persistent_contrastive_divergence`.
      alpha: as in `contrast`.
      prepare: `prepare(key, batch) -> (x [B, ...], label [B])`.
      axis: as in `core.descend`.
    """
    prepare, density = border.prepared(prepare, "float [B, D, ...]"), contrast(model, alpha)

    def points(key, batch):
        x, label = prepare(key, batch)
        return Points(x), label

    def loss(key, params, extras, data, samples, label):
        density_key, key = jax.random.split(key)
        told, moved = density(density_key, params, extras, data, samples)
        joint, _ = forward(model, key, params, extras, data.x, label)
        alone, _ = forward(model, key, params, extras, data.x)
        nll = Mean.of(joint - alone)
        total = Mean(nll.total + weight * told["loss"].total, nll.count)
        return {**told, "loss": total, "nll": nll}, moved

    of = {"sampler": sampler, "num_chains": num_chains, "restart": restart, "noise": noise}
    return followed(model, tx, loss, points, **of, axis=axis)


def class_log_odds(model: nn.Module, variables: PyTree, x: Array, *, num_classes: int) -> Array:
    """`[B, K]` -E(x, y): log-odds of the classes.

    Args:
      model: as in `joint_energy`.
      variables: its flax collections.
      x: `[B, ...]`.
      num_classes: K >= 1.
    """

    def one(label):
        return -model.apply(variables, x, jnp.full(len(x), label))

    return jax.vmap(one, out_axes=1)(jnp.arange(num_classes))


class Judge(NamedTuple):
    """What a joint energy is judged by; the state is a `Follower` whose averaged parameters are looked at."""

    model: nn.Module  # as in `joint_energy`
    num_classes: int
    scaled: Callable[[Array], Array]  # pictures [B, ...] uint8 -> what the model sees
    decode: Callable[[Array], Array]  # and from that to pictures in [0, 1]

    def log_odds(self, key: Key, state: Follower, image: Array) -> Array:
        """`[B, K]` of the classes of pictures `[B, ...]` uint8."""
        x = self.scaled(jnp.asarray(image))
        return class_log_odds(self.model, state.learner.averaged, x, num_classes=self.num_classes)

    def classes(self, image: Array, label: Array) -> Probe:
        """Probe: `calibration.scores` of all pictures at once."""

        def probe(carried, key: Key, state: Follower) -> dict[str, Mean]:
            image, label = map(jnp.asarray, carried)
            return calibration.scores(jax.nn.log_softmax(self.log_odds(key, state, image)), label)

        return Partial(probe, (image, label))

    def strangeness(self, key: Key, state: Follower, image: Array) -> dict[str, Array]:
        """`[B]` by name: the "energy" E(x), and "unsure", the least of 1 - p(y|x) over the classes."""
        odds = self.log_odds(key, state, image)
        return {"energy": -jax.nn.logsumexp(odds, -1), "unsure": 1 - jax.nn.softmax(odds).max(-1)}

    def chains(self, key: Key, state: Follower, label: Array) -> Array:
        """`[B, ...]` pictures where chains are now, each once while there are enough; labels are not looked at."""
        rows = jnp.resize(jax.random.permutation(key, len(state.chains.x)), label.shape)
        return self.decode(state.chains.x[rows])
