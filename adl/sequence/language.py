"""Language models: the probability of a text is the product of the probabilities of each next token."""

import optax
from flax import linen as nn

from adl.core import Algorithm, Key, Learner, Mean, descend


def language_model(model: nn.Module, tx: optax.GradientTransformation, *, axis: str | None = None) -> Algorithm:
    """Maximum likelihood of texts, token by token.

    The state is a `Learner`; a batch is `{"token": [B, T + 1] int}`, of which the model sees the first T and predicts
    the last T. A step reports the `loss` in nats a token and the `accuracy` of the likeliest token, in [0, 1]. The
    model may drop units (it gets a `dropout` key).

    Args:
      model: `[B, T] -> [B, T, V]` logits of the next token, causal.
      tx: optax transformation.
      axis: as in `core.descend`.

    Source: Bengio et al. 2003, JMLR 3, section 2.
    """

    def init(key: Key, batch) -> Learner:
        return Learner.create(model.init(key, batch["token"][:, :-1]), tx)

    def loss(key: Key, params, extras, batch):
        seen, following = batch["token"][:, :-1], batch["token"][:, 1:]
        logits = model.apply({"params": params, **extras}, seen, rngs={"dropout": key})
        correct = (logits.argmax(-1) == following).astype(logits.dtype)
        losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, following)
        return {"loss": Mean.of(losses), "accuracy": Mean.of(correct)}, extras

    return Algorithm(init, descend(loss, tx, axis))
