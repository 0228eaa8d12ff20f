"""What an energy is judged and shown by: where its chains arrive from noise, on which way, and what it tells apart."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Key, Probe
from adl.core.types import PyTree
from adl.energy.contrastive_divergence import Follower, Points, Prepare, score


class Descent(NamedTuple):
    """How pictures are drawn: chains of given classes go from noise down the energy of averaged parameters."""

    model: nn.Module  # `(x [B, ...], label [B]) -> E [B]`
    walk: Callable[..., Array]  # `walk(key, x, score, num_steps=n)`: `langevin` with the rest of it chosen
    num_steps: int  # from noise to a sample
    shape: Sequence[int]  # of a sample
    decode: Callable[[Array], Array] = lambda x: x  # from where chains go to what is shown: pixels in [0, 1]

    def draw(self, key: Key, state: Follower, label: Array) -> Array:
        """One sample `[B, ...]` of each of the classes `[B]`."""
        return self.decode(self.chains(key, state, label)[-1])

    def path(self, classes: Sequence[int], *, num_stops: int) -> Probe:
        """Probe: the way of one chain of each of the classes.

        It returns `label` `[C]`, `step` `[num_stops + 1]` from 0 to `num_steps`, and `grid` `[C, num_stops + 1, ...]`.
        """
        label, step = jnp.array(classes), jnp.arange(num_stops + 1) * (self.num_steps // num_stops)

        def probe(key: Key, state: Follower) -> dict[str, Array]:
            way = self.decode(self.chains(key, state, label, num_stops))
            return {"grid": way.swapaxes(0, 1), "label": label, "step": step}

        return probe

    def energies(self, train: PyTree, test: PyTree, prepare: Prepare, *, num_drawn: int = 500) -> Probe:
        """Probe: what the energy tells apart, and what it must not.

        Args:
          train: a batch that was trained on, "label" `[N]` in it.
          test: one that was not.
          prepare: as in training.
          num_drawn: of noise and of samples, of the classes of the first examples.
        Returns:
          `probe(key, state)`: energies `[N]` of `train` and `test`, `[num_drawn]` of `samples` and `noise`, less the
          mean of their class's training examples: of each class the energy has a constant of its own, which says
          nothing.
        """
        num_classes = int(train["label"].max()) + 1

        def probe(batches, key: Key, state: Follower) -> dict[str, Array]:
            train, test = jax.tree.map(jnp.asarray, batches)
            noise_key, test_key, train_key, key = jax.random.split(key, 4)
            few = train["label"][:num_drawn]
            points = {
                "train": prepare(train_key, train),
                "test": prepare(test_key, test),
                "samples": Points(self.chains(key, state, few)[-1], (few,)),
                "noise": Points(self.noise(noise_key, len(few)), (few,)),
            }
            energies = {name: self.model.apply(state.learner.averaged, at.x, *at.given) for name, at in points.items()}
            is_class = jax.nn.one_hot(train["label"], num_classes)
            constants = energies["train"] @ is_class / is_class.sum(0)
            return {name: energies[name] - constants[at.given[0]] for name, at in points.items()}

        return Partial(probe, (train, test))

    def chains(self, key: Key, state: Follower, label: Array, num_stops: int = 1) -> Array:
        """`[num_stops + 1, B, ...]` chains in noise, and after each stretch of their way."""
        noise_key, key = jax.random.split(key)
        down = score(self.model, state.learner.averaged, (label,))

        def stretch(x, key):
            x = self.walk(key, x, down, num_steps=self.num_steps // num_stops)
            return x, x

        start = self.noise(noise_key, len(label))
        _, way = lax.scan(stretch, start, jax.random.split(key, num_stops))
        return jnp.concatenate([start[None], way])

    def noise(self, key: Key, size: int) -> Array:
        """`[size, ...]` where chains begin."""
        return jax.random.normal(key, (size, *self.shape))
