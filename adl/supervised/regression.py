"""Regression in the widest sense: anything that is to be told of an example, by what telling it wrong costs."""

from collections.abc import Callable

import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Mean, Metrics, PyTree, learning

Prepare = Callable[[Key, PyTree], tuple[PyTree, PyTree]]  # (key, batch) -> (what the model sees, what it should tell)


def fit(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    loss: Callable[[PyTree, PyTree], Metrics],
    prepare: Prepare,
    axis: str | None = None,
) -> Algorithm:
    """Descent of any loss of a model's output and what it should have been; the state is a `Learner`.

    Args:
      model: `x -> output`; one that normalises over the batch must know `axis` too.
      tx: optax transformation; end its chain with `core.average_params` to predict with averaged parameters.
      loss: `loss(output, y) -> {name: Mean}`, whose "loss" is descended; the others are reported.
      prepare: `prepare(key, batch) -> (x, y)`, also of what no batch has: random views, mixed examples, masks.
      axis: as in `core.descend`.
    Source: none, the loss is the caller's.
    """
    return learning(model, tx, loss=loss, prepare=prepare, axis=axis)


def squared_error(output: Array, y: Array) -> Metrics:
    """Half the squared distance of `output` from `y`, both `[B, ...]`: a Gaussian's surprise, up to a constant."""
    return {"loss": Mean.of(((output - y) ** 2).reshape(len(y), -1).sum(-1) / 2)}
