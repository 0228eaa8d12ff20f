"""Language models: the probability of a text is the product of the probabilities of each next token."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from adl.core import Algorithm, Key, Learner, Mean, Metrics, PyTree, descend


def language_model(
    model: nn.Module, tx: optax.GradientTransformation, *, balance: float = 0.01, axis: str | None = None
) -> Algorithm:
    """Maximum likelihood of texts, token by token.

    The state is a `Learner`; a batch is `{"token": [B, T + 1] int}`, of which the model sees the first T and predicts
    the last T. A step reports the `loss` in nats a token and the `accuracy` of the likeliest token, in [0, 1]. The
    model may drop units (it gets a `dropout` key). If it has experts, a step also reports their `balance`, which is 1
    where all are equally liked.

    Args:
      model: `[B, T] -> [B, T, V]` logits of the next token, causal.
      tx: optax transformation.
      balance: >= 0, weight in the loss of each layer's `balance`, as `nn.experts.Experts` sow it: nats.
      axis: as in `core.descend`.

    Source: Bengio et al. 2003, JMLR 3, section 2.
    """

    def init(key: Key, batch) -> Learner:
        return Learner.create(model.init(key, batch["token"][:, :-1]), tx)

    def loss(key: Key, params, extras, batch):
        seen, following = batch["token"][:, :-1], batch["token"][:, 1:]
        logits, sown = model.apply({"params": params, **extras}, seen, rngs={"dropout": key}, mutable=["losses"])
        correct = (logits.argmax(-1) == following).astype(logits.dtype)
        losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, following)
        return balanced({"loss": Mean.of(losses), "accuracy": Mean.of(correct)}, sown, balance), extras

    return Algorithm(init, descend(loss, tx, axis))


def balanced(metrics: Metrics, sown: PyTree, weight: float) -> Metrics:
    """Metrics of a model that sowed "losses": their mean as `balance`, their sum added to the `loss` with a weight.

    Source: Fedus et al. 2022, arXiv:2101.03961, eq. 4.
    """
    sown = jax.tree.leaves(sown)
    if not sown:
        return metrics
    total, count = metrics["loss"]
    loss = Mean(total + weight * sum(sown) * count, count)
    return {**metrics, "loss": loss, "balance": Mean.of(jnp.stack(sown))}
