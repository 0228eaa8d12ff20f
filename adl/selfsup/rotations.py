"""Rotation prediction: which way up a picture is tells what is in it, and costs no label.

Each picture is turned by one of four quarters, drawn anew at each step, and the network says by which. Where a
picture's ground alone tells it, that is all that is learned.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, BadInput, Key, Mean, PyTree, border, learning
from adl.prob.labels import cross_entropy, is_correct

TURNS = 4


def rotation_prediction(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    prepare: Callable[[Key, PyTree], Array] = lambda key, batch: batch["image"],
    axis: str | None = None,
) -> Algorithm:
    """Classification of pictures by the quarter turns that they were given; the state is a `Learner`.

    A step reports the descended `loss` in nats, log 4 where nothing is known, and the `accuracy` in [0, 1].

    Args:
      model: `[B, H, W, C] -> [B, 4]` logits; one that normalises over the batch must know `axis` too.
      tx: optax transformation.
      prepare: `prepare(key, batch) -> x [B, H, W, C]` float, upright.
      axis: as in `core.descend`.
    Raises:
      BadInput: at trace time, for pictures that are not square.
    Source: Gidaris et al. 2018, arXiv:1803.07728, eq. 2, of which each step draws one turn a picture.
    """
    prepare = border.prepared(prepare, "float [B, H, W, C]")

    def turned_views(key: Key, batch: PyTree) -> tuple[Array, Array]:
        own, turn = jax.random.split(key)
        x = prepare(own, batch)
        quarter = jax.random.randint(turn, (len(x),), 0, TURNS)
        return quarter_turned(x, quarter), quarter

    def loss(logits: Array, quarter: Array) -> dict[str, Mean]:
        return {"loss": Mean.of(cross_entropy(logits, quarter)), "accuracy": Mean.of(is_correct(logits, quarter))}

    return learning(model, tx, loss=loss, prepare=turned_views, axis=axis)


def quarter_turned(images: Array, quarter: Array) -> Array:
    """Pictures `[B, H, H, C]` turned anticlockwise by `quarter` `[B]` quarters, 0 ... 3 each.

    Raises:
      BadInput: if they are not square.
    """
    height, width = images.shape[1:3]
    if height != width:
        side = min(height, width)
        raise BadInput(
            f"pictures of {height}x{width}: only square ones keep their size when they are turned: "
            f"--picture_size {side}x{side} --picture_fit crop"
        )
    turns = jnp.stack([jnp.rot90(images, k, (1, 2)) for k in range(TURNS)])
    return jnp.take_along_axis(turns, quarter[None, :, None, None, None], 0)[0]
