"""From a text to a text: the probability of a target, token by token, given the source."""

import optax
from flax import linen as nn

from adl.core import Algorithm, Key, Learner, Mean, border, descend, forward
from adl.prob.labels import cross_entropy, is_correct


@border.columns(source="int [B, U]", target="int [B, T+1]", source_mask="[B, U]?", target_mask="[B, T+1]?")
def translation(model: nn.Module, tx: optax.GradientTransformation, *, axis: str | None = None) -> Algorithm:
    """Maximum likelihood of targets, given their sources.

    The state is a `Learner`; a batch is `{"source": [B, U] int, "target": [B, T + 1] int}`, of whose targets the model
    sees the first T and predicts the last T, and may hold a `source_mask` `[B, U]` and a `target_mask` `[B, T + 1]`,
    boolean, False at padding, which counts for nothing. A step reports the `loss` in nats a token and the `accuracy` of
    the likeliest token, in [0, 1].

    Args:
      model: `(source, target [B, T], source_mask=, mask=) -> [B, T, V]` logits of the next token, as `EncoderDecoder`.
      tx: optax transformation.
      axis: as in `core.descend`.

    Source: Sutskever et al. 2014, arXiv:1409.3215, eq. 1.
    """

    def init(key: Key, batch) -> Learner:
        return Learner.create(model.init(key, batch["source"], batch["target"][:, :-1]), tx)

    def loss(key: Key, params, extras, batch):
        seen, following, real = batch["target"][:, :-1], batch["target"][:, 1:], batch.get("target_mask")
        masks = {"source_mask": batch.get("source_mask"), "mask": None if real is None else real[:, :-1]}
        logits, extras = forward(model, key, params, extras, batch["source"], seen, **masks)
        weights = None if real is None else real[:, 1:]
        losses, correct = cross_entropy(logits, following), is_correct(logits, following)
        return {"loss": Mean.of(losses, weights), "accuracy": Mean.of(correct, weights)}, extras

    return Algorithm(init, descend(loss, tx, axis))
