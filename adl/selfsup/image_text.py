"""Pictures and texts in one space: each is to be nearer to its own of the other kind than to all others of a batch.

    loss = (1 / 2B) sum_i [-log softmax_j(s u_i . v_j)_i - log softmax_j(s v_i . u_j)_i],   s = exp(log_scale) <= 100

u_i and v_i are embeddings of unit length of picture and text i.
Source: Radford et al. 2021, arXiv:2103.00020, figure 3; the loss: Sohn 2016, "Improved Deep Metric Learning with
Multi-class N-pair Loss Objective", eq. 7.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from adl.core import Algorithm, Learner, Mean, border, descend, forward
from adl.core.statistics import gathered
from adl.core.types import Array, Key
from adl.nn.sequence_classifier import over_time
from adl.prob.labels import cross_entropy, is_correct
from adl.selfsup.embedder import normalised

LARGEST = 100.0  # scale
FIRST = 1 / 0.07  # scale: section 2.5


class Pairs(NamedTuple):
    """Embeddings of pictures and of their texts."""

    picture: Array  # [B, P] of unit length
    text: Array  # [B, P]
    scale: Array  # [] that products are multiplied by: the inverse of the temperature


class TwoTowers(nn.Module):
    """An encoder of pictures and one of texts, each with an affine map into one space, and the scale of its products.

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3.
    """

    picture: nn.Module  # `x [B, ...] -> [B, D]`
    text: nn.Module  # `token [B, T] -> [B, E]`
    size: int  # P

    def setup(self):
        """Parts."""
        self.of_picture = nn.Dense(self.size, use_bias=False)
        self.of_text = nn.Dense(self.size, use_bias=False)
        self.log_scale = self.param("log_scale", nn.initializers.constant(math.log(FIRST)), ())

    def __call__(self, x: Array, token: Array) -> Pairs:
        """Embeddings of pictures `x` and texts `token`, as many as these."""
        scale = jnp.minimum(jnp.exp(self.log_scale), LARGEST)
        return Pairs(self.embed_picture(x), self.embed_text(token), scale)

    def embed_picture(self, x: Array) -> Array:
        """`[B, P]` of unit length, float32."""
        return normalised(self.of_picture(self.picture(x)).astype(jnp.float32))

    def embed_text(self, token: Array) -> Array:
        """`[B, P]` of unit length, float32."""
        return normalised(self.of_text(self.text(token)).astype(jnp.float32))


class MeanOfWords(nn.Module):
    """The mean of what an encoder knows of each word of a text."""

    encoder: nn.Module  # `encode(token [B, T], mask=[B, T]) -> [B, T, E]`, as `BERT`
    padding: int  # the token behind a text, which nothing sees; the first of each is none

    def __call__(self, token: Array) -> Array:
        """`[B, E]` of texts `[B, T]`."""
        mask = token != self.padding
        return over_time(self.encoder.encode(token, mask=mask), mask, "mean")


@border.columns(image="[B, ...]", token="int [B, T]")
def image_text(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    prepare: Callable[[Key, Array], Array] = lambda key, image: image,
    axis: str | None = None,
) -> Algorithm:
    """Contrastive learning of pictures and their texts: those of the whole batch, on all devices, are the others.

    The state is a `Learner`; a batch is `{"image": [B, ...], "token": [B, T] int}`. A step reports the `loss` in nats,
    log B where nothing is known, and the `accuracy`, how often the nearest text of the batch is a picture's own.

    Args:
      model: `(x, token) -> Pairs`, as `TwoTowers`.
      tx: optax transformation.
      prepare: `prepare(key, image) -> x` `[B, ...]`, random views that the model sees of pictures.
      axis: as in `core.descend`; embeddings are gathered along it.

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3.
    """

    def init(key: Key, batch) -> Learner:
        x = prepare(jax.random.fold_in(key, 1), batch["image"])
        return Learner.create(model.init(key, x, batch["token"]), tx)

    def loss(key: Key, params, extras, batch):
        prepare_key, key = jax.random.split(key)
        pairs, extras = forward(model, key, params, extras, prepare(prepare_key, batch["image"]), batch["token"])
        return symmetric_surprise(pairs, axis), extras

    return Algorithm(init, descend(loss, tx, axis))


def symmetric_surprise(pairs: Pairs, axis: str | None = None) -> dict[str, Mean]:
    """`loss` in nats and `accuracy` in [0, 1] of the texts for each picture, as the module's docstring has it.

    Args:
      pairs: of this device's share of the batch.
      axis: along which the other shares are; None: there are none.
    """
    picture, text, scale = pairs
    chex.assert_rank([picture, text], 2)
    chex.assert_equal_shape([picture, text])
    first = 0 if axis is None else len(picture) * jax.lax.axis_index(axis)
    own = first + jnp.arange(len(picture))
    texts_of = scale * picture @ gathered(text, axis).T
    pictures_of = scale * text @ gathered(picture, axis).T
    losses = (cross_entropy(texts_of, own) + cross_entropy(pictures_of, own)) / 2
    return {"loss": Mean.of(losses), "accuracy": Mean.of(is_correct(texts_of, own))}
