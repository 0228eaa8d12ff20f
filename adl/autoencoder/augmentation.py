"""Pictures that were never taken, for a classifier that has few: decoded codes between two of one class.

    z = z_i + t (z_j - z_i),   t ~ U[0, 1],   i and j of the same class

The coder learns from all pictures, without their labels; the classifier has the few that are labelled, and what is
generated from these alone. Source: Chawla et al. 2002, JAIR 16, SMOTE, of pixels; of codes, DeVries & Taylor 2017,
arXiv:1702.05538, section 3.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Key, Mean, Probe, State

Coding = Callable[[State, Array], Array]


class Labelled(NamedTuple):
    """Pictures as rows, and their classes."""

    x: Array  # [N, D]
    label: Array  # [N] int


def same_class_pairs(key: Key, label: Array, num: int) -> tuple[Array, Array, Array]:
    """`(i, j, t)`, `[num]` each: pairs of one class, any example of N as the first, and places between them.

    Args:
      key: consumed.
      label: `[N]`, of which each has at least itself.
      num: pairs.
    """
    first_key, second_key, place_key = jax.random.split(key, 3)
    first = jax.random.randint(first_key, (num,), 0, len(label))
    alike = jnp.where(label[first][:, None] == label[None], 0.0, -jnp.inf)
    second = jax.random.categorical(second_key, alike)
    return first, second, jax.random.uniform(place_key, (num,))


def augmented(key: Key, real: Labelled, make: Callable[[Array, Array, Array], Array], num: int) -> Labelled:
    """The real ones, and `num` generated: `make(i, j, t) -> [num, D]`."""
    first, second, place = same_class_pairs(key, real.label, num)
    return Labelled(
        jnp.concatenate([real.x, make(first, second, place)]), jnp.concatenate([real.label, real.label[first]])
    )


def accuracy_of(
    key: Key,
    classifier: nn.Module,
    tx: optax.GradientTransformation,
    known: Labelled,
    asked: Labelled,
    *,
    num_steps: int,
) -> Array:
    """`[]` accuracy on what is asked of a classifier that learned from all that is known, at every step.

    Args:
      key: consumed, by its parameters.
      classifier: `[N, D] -> [N, K]` logits.
      tx: optax transformation.
      known: to learn from.
      asked: to test.
      num_steps: of the descent of the mean cross-entropy.
    """
    params = classifier.init(key, known.x[:1])

    def loss(params):
        return optax.softmax_cross_entropy_with_integer_labels(classifier.apply(params, known.x), known.label).mean()

    def step(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = lax.scan(step, (params, tx.init(params)), length=num_steps)
    return (classifier.apply(params, asked.x).argmax(-1) == asked.label).mean()


def gain(
    encode: Coding,
    decode: Coding,
    classifier: nn.Module,
    tx: optax.GradientTransformation,
    known: Labelled,
    asked: Labelled,
    *,
    subsets: Array,
    num_generated: int,
    num_steps: int,
) -> Probe:
    """Probe: what generated pictures add to few labelled ones, mean over subsets of these.

    Args:
      encode: `(state, x [N, D]) -> [N, Z]`.
      decode: `(state, z [N, Z]) -> [N, D]`.
      classifier: as in `accuracy_of`.
      tx: as in `accuracy_of`.
      known: pictures of which a subset is labelled.
      asked: to test.
      subsets: `[R, n]` rows of `known`.
      num_generated: pictures for each subset.
      num_steps: as in `accuracy_of`, the same for all.
    Returns:
      `probe(key, state)`: accuracies of the classifier of the labelled ones, `real`; of these and those decoded between
      codes, `generated`; of these and those between pixels, `pixels`; and `gain`, `generated - real`, with `error`, its
      standard error over the subsets.
    """

    def probe(columns, key: Key, state: State) -> dict[str, Mean | Array]:
        known, asked, subsets = columns

        def judged(of):
            key, rows = of
            draw_key, learn_key = jax.random.split(key)
            real = Labelled(known.x[rows], known.label[rows])
            z = encode(state, real.x)

            def mixed(values):
                return lambda i, j, t: values[i] + t[:, None] * (values[j] - values[i])

            sets = {
                "real": real,
                "generated": augmented(draw_key, real, lambda *at: decode(state, mixed(z)(*at)), num_generated),
                "pixels": augmented(draw_key, real, mixed(real.x), num_generated),
            }
            return {
                name: accuracy_of(learn_key, classifier, tx, one, asked, num_steps=num_steps)
                for name, one in sets.items()
            }

        found = lax.map(judged, (jax.random.split(key, len(subsets)), subsets))
        more = found["generated"] - found["real"]
        told = {**found, "gain": more, "error": more.std(ddof=1) / len(more) ** 0.5}
        return {name: Mean.of(values) for name, values in told.items()}

    return Partial(probe, (known, asked, subsets))
