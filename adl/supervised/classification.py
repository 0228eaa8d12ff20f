"""Classification: the network's outputs are log-odds, and the loss is the surprise at the right class."""

from collections.abc import Callable

import jax
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, Metrics, border
from adl.prob.labels import cross_entropy, is_correct
from adl.supervised.regression import Prepare, fit


def classifier(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    prepare: Prepare = lambda key, batch: (batch["image"], batch["label"]),
    label_smoothing: float = 0.0,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of labels given pictures.

    The state is a `Learner`; a batch is what `prepare` takes, `{"image": [B, ...], "label": [B] int}`. A step reports
    the descended `loss` in nats and the `accuracy` in [0, 1], both of the views that it trained on.

    Args:
      model: `[B, ...] -> [B, K]` logits; one that normalises over the batch must know `axis` too.
      tx: optax transformation; end its chain with `core.average_params` to predict with averaged parameters.
      prepare: `prepare(key, batch) -> (x [B, ...], label [B] int)`: random views of encoded pictures (`views`).
      label_smoothing: in [0, 1), as in `cross_entropy`.
      axis: as in `core.descend`.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.108; with smoothing, Szegedy et al. 2016,
      arXiv:1512.00567, section 7.
    """
    return fit(model, tx, loss=surprise(label_smoothing), prepare=prepare, axis=axis)


def surprise(label_smoothing: float = 0.0) -> Callable[[Array, Array], Metrics]:
    """Loss of logits `[B, K]` given labels `[B]`: `cross_entropy`, with the `accuracy` beside it."""

    def loss(logits, label):
        losses = cross_entropy(logits, label, label_smoothing=label_smoothing)
        return {"loss": Mean.of(losses), "accuracy": Mean.of(is_correct(logits, label))}

    return loss


def views(
    encode: Callable[[Array], Array] = lambda image: image,
    augment: Callable[[Key, Array], Array] | None = None,
) -> Prepare:
    """Pictures with their labels, `{"image": [B, ...], "label": [B]}`, each picture seen in its own way.

    Args:
      encode: from the batch's pictures to what the model sees, `[B, ...]` float: pixels in [0, 1].
      augment: `(key, [B, ...]) -> [B, ...]` random view of encoded pictures; None for none.
    """

    def prepare(key, batch):
        border.check(batch, image="[B, ...]", label="int [B]")
        x = encode(batch["image"])
        return (x if augment is None else augment(key, x)), batch["label"]

    return prepare


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
