"""Classes of texts: a bag of words, windows of words, a recurrent network, a transformer, all called alike.

A text is a row of tokens, and what is negative stands behind its end.
"""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, BadInput, Batch, Key, Lift, Mean, border, ensemble, learning
from adl.nn.encoder import WordHead
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.sequence_classifier import SequenceClassifier
from adl.nn.transformer import Blocks, gelu, layer_norm
from adl.prob.labels import cross_entropy, is_correct

Kind = Literal["bag", "cnn", "lstm", "transformer"]
NAMES: dict[Kind, str] = {"bag": "bag of words", "cnn": "CNN", "lstm": "LSTM", "transformer": "transformer"}


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
      num_heads: of the transformer; twice as many divide the width.
      dropout: in [0, 1), of embeddings, of the summary, and within the transformer.
      dtype: of the computation.
    Raises:
      BadInput: if they do not divide it.
    """
    if kind == "transformer" and width % (2 * num_heads):
        raise BadInput(f"a transformer's width of {width}: it must be a multiple of {2 * num_heads}, twice its heads")
    layers = {
        "bag": lambda: Alone(),
        "cnn": lambda: Windows(features, dtype=dtype),
        "lstm": lambda: Recurrents(lstm, (features,), "both", dtype=dtype),
        "transformer": lambda: Blocks(num_layers, num_heads, "all", dropout=dropout, dtype=dtype),
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


def without_folds(folds: Sequence[int]) -> Lift:
    """A lift to F learners side by side, each of which leaves out its fold by the columns "fold" and "mask" `[B]`.

    The state gains a leading axis `[F]`; metrics are merged.

    Args:
      folds: F integers.
    """

    def own(batch: Batch, member: Array) -> Batch:
        return {**batch, "mask": batch["mask"] * (batch["fold"] != jnp.asarray(folds)[member])}

    return lambda alg: ensemble(alg, len(folds), own)
