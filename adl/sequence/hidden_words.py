"""Hidden words: a reader that first tells which words were hidden in texts, then what texts are about."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import (
    Algorithm,
    BadInput,
    Batch,
    Key,
    Learner,
    Mean,
    PyTree,
    border,
    forward,
    handing_over,
    optimizer,
    tree,
)
from adl.core.gradient import descend
from adl.prob.labels import cross_entropy, is_correct
from adl.sequence.text_classifier import TextClassifier, text_classifier, without_folds


@border.columns(token="int [B, T]", mask="[B]?")
def masked_language_model(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    vocab_size: int,
    hidden: int,
    rate: float = 0.15,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of words that were hidden, given all around them, before and after.

    Of each text a share of the places is drawn, one at least. Of these 80 % are hidden, 10 % hold another word by
    chance, and 10 % are left as they are. The state is a `Learner`; a batch is `{"token": [B, T] int}`, negative behind
    a text's end, and may hold a "mask" `[B]`, 0 where a row counts for nothing. A step reports the `loss` in nats a
    word that was drawn, and the `accuracy` of the likeliest, in [0, 1].

    Args:
      model: with `fill(token [B, T], place [B, M]) -> [B, M, V]`, as `TextClassifier`.
      tx: optax transformation.
      vocab_size: V.
      hidden: the token that stands for a hidden word.
      rate: share of a text's places that are drawn, in (0, 1).
      axis: as in `core.descend`.
    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.1, task 1.
    """

    def init(key: Key, batch: Batch) -> Learner:
        return Learner.create(model.init(key, batch["token"], batch["token"][:, :1] * 0, method="fill"), tx)

    def loss(key: Key, params: PyTree, extras: PyTree, batch: Batch):
        own, dropout = jax.random.split(key)
        token = batch["token"]
        seen, place, weight = masked(own, token, vocab_size=vocab_size, hidden=hidden, rate=rate)
        if "mask" in batch:
            weight = weight * batch["mask"][:, None]
        logits, extras = forward(model, dropout, params, extras, seen, place, method="fill")
        right = jnp.maximum(jnp.take_along_axis(token, place, 1), 0)
        losses = Mean.of(cross_entropy(logits, right), weight)
        return {"loss": losses, "accuracy": Mean.of(is_correct(logits, right), weight)}, extras

    return Algorithm(init, descend(loss, tx, axis))


class Masked(NamedTuple):
    """Texts with words hidden in them."""

    token: Array  # [B, T] what is seen
    place: Array  # [B, M] where words are told, M = rate T or one
    weight: Array  # [B, M] 1 where one is told, 0 beyond a text's share


def masked(key: Key, token: Array, *, vocab_size: int, hidden: int, rate: float) -> Masked:
    """Texts `token` `[B, T]` as `masked_language_model` hides their words."""
    choose, what, other = jax.random.split(key, 3)
    size, time = token.shape
    real = token >= 0
    most = max(1, round(rate * time))
    count = jnp.maximum(1, jnp.round(rate * real.sum(-1, keepdims=True)))
    place = jax.lax.top_k(jnp.where(real, jax.random.uniform(choose, token.shape), -1), most)[1]
    weight = (jnp.arange(most)[None] < count) & jnp.take_along_axis(real, place, 1)
    luck = jax.random.uniform(what, place.shape)
    told = jnp.take_along_axis(token, place, 1)
    chance = jax.random.randint(other, place.shape, 0, vocab_size, token.dtype)
    new = jnp.where(luck < 0.8, hidden, jnp.where(luck < 0.9, chance, told))
    rows = jnp.arange(size)[:, None]
    return Masked(token.at[rows, place].set(jnp.where(weight, new, told)), place, weight.astype(jnp.float32))


def known_first(source: Learner, heir: Learner) -> Learner:
    """The heir, with those parameters of the source's that both have by the same names."""
    known = {name: part for name, part in source.params.items() if name in heir.params}
    return heir._replace(params={**heir.params, **tree.copy(known)})


@border.columns(token="int [B, T]", label="int [B]", mask="[B]", fold="int [B]")
def text_learner(
    model: TextClassifier,
    *,
    adam: Mapping[str, Array | float],
    folds: Sequence[int],
    num_steps: int,
    first: int = 0,
    axis: str | None = None,
) -> Algorithm:
    """Classes of texts by a learner for each fold, which leaves it out; hidden words first, if that is wanted.

    Args:
      model: that reads one word more than there are, the last, which stands for hidden ones.
      adam: learning rate and weight decay, as `core.optimizer.adam` takes them; each part has a cosine of its own.
      folds: F that are left out; a batch has columns "fold" and "mask" `[B]`.
      num_steps: of the whole run, > first + 1.
      first: of them on hidden words.
      axis: as in `core.descend`.
    Raises:
      BadInput: if there are fewer steps.
    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.
    """
    if first and num_steps < first + 2:
        raise BadInput(f"{first} steps on hidden words, of {num_steps} in all: at least 2 must be left for classes")
    without, num_words = without_folds(folds), model.vocab_size - 1

    def tx(num_steps: int) -> optax.GradientTransformation:
        return optimizer.adam(**adam, shape=optimizer.cosine(num_steps, warmup=100), clip=1.0)

    classes = without(text_classifier(model, tx(num_steps - first), axis=axis))
    if not first:
        return classes
    words = masked_language_model(model, tx(first), vocab_size=num_words, hidden=num_words, axis=axis)
    return handing_over(without(words), classes, known_first, (first, num_steps - first), name="first")
