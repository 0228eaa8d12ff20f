"""Classification: the network's outputs are log-odds, and the loss is the surprise at the right class."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, descend


def classifier(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    encode: Callable[[Array], Array] = lambda image: image,
    augment: Callable[[Key, Array], Array] | None = None,
    label_smoothing: float = 0.0,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of labels given pictures.

    The state is a `Learner`; a batch is `{"image": [B, ...], "label": [B] int}`. A step reports the descended `loss`
    in nats and the `accuracy` in [0, 1], both of the views that it trained on. The model may drop units (it gets a
    `dropout` key) and may keep collections besides `params` (batch statistics), which move with each step.

    Args:
      model: `[B, ...] -> [B, K]` logits; one that normalises over the batch must know `axis` too.
      tx: optax transformation; end its chain with `core.average_params` to predict with averaged parameters.
      encode: from the batch's pictures to what the model sees, `[B, ...]` float: pixels in [0, 1].
      augment: `(key, [B, ...]) -> [B, ...]` random view of encoded pictures, in training only; None for none.
      label_smoothing: in [0, 1), as in `cross_entropy`.
      axis: as in `core.descend`.
    """

    def init(key: Key, batch) -> Learner:
        return Learner.create(model.init(key, encode(batch["image"])), tx)

    def loss(key: Key, params, extras, batch):
        view_key, dropout_key = jax.random.split(key)
        x = encode(batch["image"])
        if augment is not None:
            x = augment(view_key, x)
        variables = {"params": params, **extras}
        logits, extras = model.apply(variables, x, rngs={"dropout": dropout_key}, mutable=list(extras))
        losses = cross_entropy(logits, batch["label"], label_smoothing=label_smoothing)
        return {"loss": Mean.of(losses), "accuracy": Mean.of(is_correct(logits, batch["label"]))}, extras

    return Algorithm(init, descend(loss, tx, axis))


def evaluation(logits: Callable[[Learner, Array], Array]) -> Callable[..., dict[str, Mean | Array]]:
    """Measure for `core.full_pass` over a labelled split.

    Args:
      logits: `(learner, batch["image"]) -> [B, K]`, without dropout and with the batch statistics at rest.

    Returns:
      `measure(key, learner, batch)`: `loss` (negative log-likelihood, nats) and `accuracy` where the batch's mask is
      1, and `probability` `[B, K]` of each class.
    """

    def measure(key: Key, learner: Learner, batch) -> dict[str, Mean | Array]:
        outputs = logits(learner, batch["image"])
        return {
            "loss": Mean.of(cross_entropy(outputs, batch["label"]), batch["mask"]),
            "accuracy": Mean.of(is_correct(outputs, batch["label"]), batch["mask"]),
            "probability": jax.nn.softmax(outputs),
        }

    return measure


def cross_entropy(logits: Array, label: Array, *, label_smoothing: float = 0.0) -> Array:
    """Surprise at the right class, in nats, with some of the target's weight spread over all classes.

    -sum_k q_k log softmax(logits)_k,   q_k = (1 - s) [k = label] + s / K

    Args:
      logits: `[..., K]` log-odds.
      label: `[...]` integers in 0 ... K - 1.
      label_smoothing: s in [0, 1); 0 is the negative log-likelihood.

    Returns:
      `[...]` losses >= 0, in nats.

    Source: label smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """
    log_prob = jax.nn.log_softmax(logits)
    picked = jnp.take_along_axis(log_prob, label[..., None], -1)[..., 0]
    return -(1 - label_smoothing) * picked - label_smoothing * log_prob.mean(-1)


def is_correct(logits: Array, label: Array) -> Array:
    """`[...]` 1.0 where the largest of `logits` `[..., K]` is that of the `label` `[...]`, else 0.0."""
    return (logits.argmax(-1) == label).astype(jnp.float32)
