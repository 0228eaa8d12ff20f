"""Classes of texts: a bag of words, windows of words, a recurrent network, a transformer, all called alike.

A text is a row of tokens, and what is negative stands behind its end.
"""

import functools
from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Batch, Key, Learner, Lift, Mean, PyTree, alternate, border, ensemble, forward, learning
from adl.core.gradient import descend
from adl.nn import embed
from adl.nn.encoder import WordHead
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.sequence_classifier import SequenceClassifier
from adl.nn.transformer import Block, gelu, layer_norm
from adl.prob.labels import cross_entropy, is_correct

Kind = Literal["bag", "cnn", "lstm", "transformer"]
NAMES: dict[Kind, str] = {"bag": "bag of words", "cnn": "CNN", "lstm": "LSTM", "transformer": "transformer"}
PADDING = -1


class Windows(nn.Module):
    """Convolutions of several widths beside each other, a rectifier behind each; the outputs of all are put together.

    y_t = relu(W (x_{t - a} ... x_{t + b}) + bias),   a + b + 1 = width,   a = floor((width - 1) / 2)

    Padding is read as zeros. With the largest over time and dropout behind it, as `SequenceClassifier` has both, this
    is the network of the source.

    Source: Kim 2014, arXiv:1408.5882, section 2 (CNN-rand).
    """

    features: int  # of each width
    widths: Sequence[int] = (3, 4, 5)  # words that a window sees, each >= 1
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array, state: tuple = (), *, length: Array | None = None) -> tuple[Array, tuple]:
        """(`[B, T, features * widths]`, ()) of inputs `x` `[B, T, D]`; `length` as in `Recurrent`."""
        time, outputs = x.shape[1], []
        if length is not None:
            x = jnp.where((jnp.arange(time)[None] < length[:, None])[..., None], x, 0)
        for width in self.widths:
            before = (width - 1) // 2
            wide = jnp.pad(x, ((0, 0), (before, width - 1 - before), (0, 0)))
            # One product of matrices: of many networks side by side a convolution would be one in groups.
            seen = jnp.concatenate([wide[:, at : at + time] for at in range(width)], -1)
            outputs.append(nn.relu(nn.Dense(self.features, dtype=self.dtype, name=f"width_{width}")(seen)))
        return jnp.concatenate(outputs, -1), state


class Alone(nn.Module):
    """Each input as it is, whatever stands beside it: summed up, a bag of words."""

    def __call__(self, x: Array, state: tuple = (), *, length: Array | None = None) -> tuple[Array, tuple]:
        """(`x`, ())."""
        del length
        return x, state


class Looking(nn.Module):
    """Blocks of a transformer in which each place sees every other, by the distance between them (rotary)."""

    num_layers: int
    num_heads: int
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array, state: tuple = (), *, length: Array | None = None) -> tuple[Array, tuple]:
        """(`[B, T, D]`, ()) of inputs `x` `[B, T, D]`; `length` as in `Recurrent`."""
        place = jnp.arange(x.shape[1])[None]
        mask = None if length is None else (place < length[:, None])[:, None, None]
        rotate = functools.partial(embed.rotary, position=place[:, None])
        for _ in range(self.num_layers):
            x = Block(self.num_heads, self.dropout, self.dtype)(x, mask=mask, rotate=rotate)
        return layer_norm(dtype=self.dtype)(x), state


class TextClassifier(SequenceClassifier):
    """A `SequenceClassifier` of padded texts; if its layers keep the width, it can also tell hidden words (`fill`)."""

    def setup(self):
        """Parts."""
        super().setup()
        self.words = WordHead(gelu, layer_norm, self.dtype)

    def __call__(self, token: Array) -> Array:
        """`[B, K]` logits of texts `token` `[B, T]`, integers below V; negative is padding."""
        return super().__call__(jnp.maximum(token, 0), mask=token >= 0)

    def fill(self, token: Array, place: Array) -> Array:
        """`[B, M, V]` logits of the words that belong in the places `place` `[B, M]` of texts `token` `[B, T]`."""
        h = self.encode(jnp.maximum(token, 0), mask=token >= 0)
        return self.words(jnp.take_along_axis(h, place[..., None], 1), self.tokens)


def text_network(
    kind: Kind,
    vocab_size: int,
    num_classes: int,
    *,
    width: int,
    features: int,
    num_layers: int = 2,
    num_heads: int = 4,
    dropout: float = 0.0,
    dtype: jnp.dtype = jnp.float32,
) -> TextClassifier:
    """`[B, T] -> [B, K]` logits of padded texts.

    Args:
      kind: of the network. The LSTM reads both ways; the CNN has windows of 3, 4 and 5 words.
      vocab_size: V.
      num_classes: K.
      width: D of the embedding, and of the transformer.
      features: of each width of windows, or of each of the LSTM's directions.
      num_layers: of the transformer.
      num_heads: of the transformer, a divisor of the width.
      dropout: in [0, 1), of embeddings, of the summary, and within the transformer.
      dtype: of the computation.
    """
    layers = {
        "bag": lambda: Alone(),
        "cnn": lambda: Windows(features, dtype=dtype),
        "lstm": lambda: Recurrents(lstm, (features,), "both", dtype=dtype),
        "transformer": lambda: Looking(num_layers, num_heads, dropout, dtype),
    }[kind]()
    summary = {"cnn": "max", "lstm": "max"}.get(kind, "mean")
    return TextClassifier(layers, num_classes, width, vocab_size, summary, dropout, dtype)


@border.columns(token="int [B, T]", label="int [B]", mask="[B]?")
def text_classifier(model: nn.Module, tx: optax.GradientTransformation, *, axis: str | None = None) -> Algorithm:
    """Maximum likelihood of the classes of texts.

    The state is a `Learner`; a batch is `{"token": [B, T] int, "label": [B] int}`, and may hold a "mask" `[B]`, 0 where
    a row counts for nothing. A step reports the `loss` in nats and the `accuracy` in [0, 1].

    Args:
      model: `[B, T] -> [B, K]` logits; negative tokens are padding.
      tx: optax transformation.
      axis: as in `core.descend`.
    Source: with a convolutional network: Kim 2014, arXiv:1408.5882.
    """

    def loss(logits: Array, y: tuple[Array, Array | None]):
        label, weight = y
        return {
            "loss": Mean.of(cross_entropy(logits, label), weight),
            "accuracy": Mean.of(is_correct(logits, label), weight),
        }

    def prepare(key: Key, batch: Batch):
        weight = jnp.ones(len(batch["label"])) if "mask" not in batch else batch["mask"]
        return batch["token"], (batch["label"], weight)

    return learning(model, tx, loss=loss, prepare=prepare, axis=axis, x="int [B, T]")


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


def without_folds(folds: Sequence[int]) -> Lift:
    """A lift to F learners side by side, each of which leaves out its fold by the columns "fold" and "mask" `[B]`.

    The state gains a leading axis `[F]`; metrics are merged.

    Args:
      folds: F integers.
    """

    def own(batch: Batch, member: Array) -> Batch:
        return {**batch, "mask": batch["mask"] * (batch["fold"] != jnp.asarray(folds)[member])}

    return lambda alg: ensemble(alg, len(folds), own)


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


class Pretrained(NamedTuple):
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

    def init(key: Key, batch: Batch) -> Pretrained:
        own, theirs = jax.random.split(key)
        return Pretrained(first.init(own, batch), then.init(theirs, batch))

    def learn(key: Key, state: Pretrained, batch: Batch):
        new, metrics = first.step(key, state.first, batch)
        return state._replace(first=new), {f"first_{name}": mean for name, mean in metrics.items()}

    def hand_over(key: Key, state: Pretrained, batch: Batch):
        known = {name: part for name, part in state.first.params.items() if name in state.learner.params}
        known = jax.tree.map(jnp.array, known)  # copies: both may be donated
        return state._replace(learner=state.learner._replace(params={**state.learner.params, **known})), {}

    def tune(key: Key, state: Pretrained, batch: Batch):
        new, metrics = then.step(key, state.learner, batch)
        return state._replace(learner=new), metrics

    return alternate(init, (learn, hand_over, tune), (num_steps, 1, max(1, length - num_steps - 1)))
