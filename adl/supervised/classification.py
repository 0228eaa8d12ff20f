"""Classification: the network's outputs are log-odds, and the loss is the surprise at the right class."""

from collections.abc import Callable

import jax
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, descend, forward
from adl.prob.labels import cross_entropy, is_correct


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
    in nats and the `accuracy` in [0, 1], both of the views that it trained on.

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
        logits, extras = forward(model, dropout_key, params, extras, x)
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
