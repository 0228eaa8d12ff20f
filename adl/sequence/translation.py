"""From a text to a text: the probability of a target, token by token, given the source."""

import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, PyTree, border, descend, forward
from adl.prob.labels import cross_entropy, is_correct
from adl.sequence.language import Read


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


def reader_of(
    model: nn.Module, variables: PyTree, source: Array, num_tokens: int, *, mask: Array | None = None
) -> tuple[Read, PyTree]:
    """`(read, carry)` of a decoder that has seen a source and said nothing, as `generate` and `beam_search` take them.

    Args:
      model: as `EncoderDecoder`, with `encode`, `decode` and `empty_cache`.
      variables: of the model.
      source: `[B, U]` integers, or whatever else `encode` takes: pictures.
      num_tokens: N >= 1, with the token that a target begins with as many as may be read.
      mask: `[B, U]` boolean, False at padding; None: there is none.
    """
    memory = model.apply(variables, source, mask=mask, method="encode")

    def read(token: Array, cache: PyTree, **given) -> tuple[Array, PyTree]:
        return model.apply(variables, token, cache=cache, method="decode", **given)

    nothing = jnp.zeros((len(source), 1), jnp.int32)
    cache = model.empty_cache(len(source), num_tokens, memory.shape[1])
    # A token that does not count: the cache keeps the memory alone.
    _, cache = read(nothing, cache, memory=memory, memory_mask=mask, mask=jnp.zeros_like(nothing, bool))
    return read, cache
