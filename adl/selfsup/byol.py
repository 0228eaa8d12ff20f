"""BYOL: a student predicts what its teacher, an average of its own past, says of another view. No negatives.

    loss = |q(z) - z'|^2 + the same with the views exchanged,   q, z' of unit length,   teacher = EMA of the student

z = embedder(view), q the predictor, z' the teacher's embedding of the other view, through which no gradient flows.
Source: Grill et al. 2020, arXiv:2006.07733.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from adl.core import Algorithm, Learner, Mean, PyTree, border, descend, forward, teacher
from adl.core.teacher import Decay, Teacher
from adl.core.types import Array, Key
from adl.selfsup.embedder import Embedder, View, normalised


class Student(NamedTuple):
    """A learner and its teacher."""

    learner: Learner  # of a `Predicting`
    teacher: Teacher  # all collections of an `Embedder`, averaged


class Predicting(nn.Module):
    """predictor(embedder(x)): the student.

    Attributes:
      embedder: what the teacher has, too.
      predictor: projections `[B, P]` to predictions `[B, P]` of the teacher's.
    """

    embedder: Embedder
    predictor: nn.Module

    def __call__(self, x: Array) -> Array:
        """Predictions `[B, P]` from pictures `x`, float32."""
        return self.predictor(self.embedder(x)).astype(jnp.float32)


def byol(
    model: Predicting,
    tx: optax.GradientTransformation,
    *,
    view: View,
    decay: Decay = 0.996,
    prepare: Callable[[Key, PyTree], Array] = lambda key, batch: batch["image"],
    axis: str | None = None,
) -> Algorithm:
    """Bootstrap your own latent; the state is a `Student`, a batch is what `prepare` takes.

    Reports the descended `loss` in [0, 8]: 4 where predictions have nothing to do with the targets.

    Modules may normalise over the batch. The teacher, too, then normalises by the batch that it sees, though
    it drops no units; its running statistics are averages of the student's, like everything else that it has.

    Args:
      model: embedder, which the teacher has too, and predictor of the teacher's projections.
      tx: optax transformation.
      view: random view of what was prepared; each step draws two.
      decay: tau in [0, 1] of the teacher's average, or a schedule `step [] -> tau` (`core.teacher.cosine`).
      prepare: `prepare(key, batch) -> x [B, ...]` float, what views are made of.
      axis: as in `core.descend`; modules that normalise over the batch must know it too.
    """
    prepare = border.prepared(prepare)

    def loss(key, params, extras, first, second, of_first, of_second):
        first_key, second_key = jax.random.split(key)
        predicted_second, extras = forward(model, first_key, params, extras, first)
        predicted_first, extras = forward(model, second_key, params, extras, second)
        losses = regression_loss(predicted_second, of_second) + regression_loss(predicted_first, of_first)
        return {"loss": Mean.of(losses)}, extras

    update = descend(loss, tx, axis)

    def init(key, batch):
        learner = Learner.create(model.init(key, prepare(jax.random.fold_in(key, 1), batch)), tx)
        return Student(learner, teacher.follower(embedding(learner.variables)))

    def step(key, student, batch):
        first_key, second_key, update_key, prepare_key = jax.random.split(key, 4)
        x = prepare(prepare_key, batch)
        views = view(first_key, x), view(second_key, x)
        extras = dict(student.teacher.variables)
        params = extras.pop("params")
        targets = [forward(model.embedder, None, params, extras, x)[0] for x in views]
        learner, metrics = update(update_key, student.learner, *views, *targets)
        return Student(learner, teacher.follow(student.teacher, embedding(learner.variables), decay)), metrics

    return Algorithm(init, step)


def regression_loss(prediction: Array, target: Array) -> Array:
    """Squared distance `[B]` in [0, 4] of the directions of `prediction` and `target`, `[B, P]` both: 2 - 2 cos.

    No gradient flows into the target. Source: eq. 2.
    """
    chex.assert_rank([prediction, target], 2)
    chex.assert_equal_shape([prediction, target])
    return jnp.square(normalised(prediction) - jax.lax.stop_gradient(normalised(target))).sum(-1)


def embedding(variables: PyTree) -> PyTree:
    """The embedder's part of a student's collections: what a teacher has, and what `embedder.apply` wants."""
    return {name: collection["embedder"] for name, collection in variables.items() if "embedder" in collection}
