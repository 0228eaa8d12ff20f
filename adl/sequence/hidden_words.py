"""Hidden words: a reader that first tells which words were hidden in texts, then what texts are about."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, BadInput, Batch, Key, Learner, Mean, PyTree, alternate, border, forward, optimizer
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


class HandedOver(NamedTuple):
    """State of `pretrained`: who learns first, and who begins with what it knows."""

    first: PyTree
    learner: Learner


def pretrained(first: Algorithm, then: Algorithm, *, num_steps: int, length: int) -> Algorithm:
    """One algorithm first, then another, which begins with those parameters that both have by the same names.

    A step reports `first_loss` and `first_accuracy` first, then what the other reports; in the first step of the other
    nothing is learned.

    Args:
      first: whose state is a `Learner`, or many side by side.
      then: likewise.
      num_steps: of the first, >= 1.
      length: of the whole run, > num_steps + 1; then the first goes on.
    Source: Devlin et al. 2019, arXiv:1810.04805, section 3: pre-training and fine-tuning.
    """

    def init(key: Key, batch: Batch) -> HandedOver:
        own, theirs = jax.random.split(key)
        return HandedOver(first.init(own, batch), then.init(theirs, batch))

    def learn(key: Key, state: HandedOver, batch: Batch):
        new, metrics = first.step(key, state.first, batch)
        return state._replace(first=new), {f"first_{name}": mean for name, mean in metrics.items()}

    def hand_over(key: Key, state: HandedOver, batch: Batch):
        known = {name: part for name, part in state.first.params.items() if name in state.learner.params}
        known = jax.tree.map(jnp.array, known)  # copies: both may be donated
        return state._replace(learner=state.learner._replace(params={**state.learner.params, **known})), {}

    def tune(key: Key, state: HandedOver, batch: Batch):
        new, metrics = then.step(key, state.learner, batch)
        return state._replace(learner=new), metrics

    return alternate(init, (learn, hand_over, tune), (num_steps, 1, max(1, length - num_steps - 1)))


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
    return pretrained(without(words), classes, num_steps=first, length=num_steps)
