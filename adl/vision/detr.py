"""DETR: a set of queries, each of which finds one object or none; which finds which is an assignment.

Nothing is suppressed and no place is searched: an object that two queries found would cost, since only one is matched
with it and the other should have said that there is none.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.core import Algorithm, BadInput, Mean, Metrics, learning
from adl.measure.boxes import centred, corners, generalised_box_iou
from adl.measure.detection import Detections, Objects
from adl.nn.convolution import Conv
from adl.nn.resnet import ResidualBlock, group_norm
from adl.nn.transformer import Block, layer_norm
from adl.prob.matching import assigned
from adl.vision.cells import in_cells
from adl.vision.objects import Prepare


class Answers(NamedTuple):
    """What Q queries say after each of L layers."""

    logits: Array  # [L, B, Q, K + 1] of the classes, the last: there is no object
    box: Array  # [L, B, Q, 4] (y and x of the centre, height, width), relative to the picture, in [0, 1]


class DETR(nn.Module):
    """Convolutions make tokens of a picture, an encoder has them look at each other, and queries look at them.

    Each query begins at a place of its own, of a grid, from which its boxes move; the paper's begin alike, and take ten
    times as many steps to part.

    Source: Carion et al. 2020, arXiv:2005.12872, section 3; places: Zhu et al. 2021, arXiv:2010.04159, section 4.1.
    """

    num_classes: int  # K
    num_queries: int = 16  # Q, at least the most objects of a picture
    channels: Sequence[int] = (32, 64)  # of the residual stages before the transformer, each at half the resolution
    cell: int = 4  # pixels of a side of what the first convolution sees as one
    width: int = 96  # D of the transformer
    num_heads: int = 4
    num_encoder_layers: int = 2
    num_decoder_layers: int = 3  # L
    norm: Callable[..., nn.Module] = group_norm  # of the stages, `norm(dtype=...)`
    dropout: float = 0.0  # in [0, 1), in the transformer
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and answers are float32

    @nn.compact
    def __call__(self, x: Array) -> Answers:
        """Answers to pictures `x` `[B, H, W, C]`."""
        chex.assert_rank(x, 4)
        h = Conv(self.channels[0], (3, 3), use_bias=False, dtype=self.dtype)(in_cells(x, self.cell))
        for stage, channels in enumerate(self.channels):
            h = ResidualBlock(channels, 2 if stage else 1, self.norm, self.dtype)(h)
        h = nn.Dense(self.width, dtype=self.dtype)(nn.relu(self.norm(dtype=self.dtype)(h)))
        normal = nn.initializers.normal
        h = h + self.param("rows", normal(0.5), (h.shape[1], 1, self.width)).astype(self.dtype)[None]
        h = h + self.param("columns", normal(0.5), (1, h.shape[2], self.width)).astype(self.dtype)[None]
        memory = h.reshape(len(h), -1, self.width)
        std = 0.02 / (2 * (self.num_encoder_layers + self.num_decoder_layers)) ** 0.5
        block = lambda name: Block(self.num_heads, self.dropout, self.dtype, std, name=name)  # noqa: E731
        for layer in range(self.num_encoder_layers):
            memory = block(f"encoder_{layer}")(memory)
        memory = layer_norm(dtype=self.dtype)(memory)

        query = self.param("queries", normal(1.0), (self.num_queries, self.width)).astype(self.dtype)
        h = jnp.broadcast_to(query[None], (len(x), *query.shape))
        place = self.param("places", lambda key: on_a_grid(self.num_queries))
        norm, classify = layer_norm(dtype=self.dtype), nn.Dense(self.num_classes + 1, name="class")
        hidden, locate = nn.Dense(self.width, dtype=self.dtype, name="hidden"), nn.Dense(4, name="box")
        logits, boxes = [], []
        for layer in range(self.num_decoder_layers):
            h = block(f"decoder_{layer}")(h, memory)
            seen = norm(h)
            logits.append(classify(seen.astype(jnp.float32)))
            moved = locate(nn.relu(hidden(seen)).astype(jnp.float32))
            boxes.append(jax.nn.sigmoid(moved + jnp.pad(place, ((0, 0), (0, 2)), constant_values=-1.0)[None]))
        return Answers(jnp.stack(logits), jnp.stack(boxes))


def on_a_grid(number: int) -> Array:
    """`[Q, 2]` log-odds of places (y, x), relative to a picture, that are spread evenly over it."""
    index = jnp.arange(number, dtype=jnp.float32)
    rows = max(round(number**0.5), 1)
    across = -(-number // rows)
    place = jnp.stack([(index // across + 0.5) / rows, (index % across + 0.5) / across], -1)
    return lax.convert_element_type(jnp.log(place / (1 - place)), jnp.float32)


class SetWeights(NamedTuple):
    """Of the parts of a set's loss, which are also those of the matching's costs."""

    label: float = 1.0
    l1: float = 5.0  # of the distance of a box's centre and size, relative to the picture
    overlap: float = 2.0  # of 1 - GIoU
    nothing: float = 0.1  # of queries that should have said that there is none, beside those that found one


def detr(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    weights: SetWeights = SetWeights(),  # noqa: B008 - of numbers
    prepare: Prepare,
    axis: str | None = None,
) -> Algorithm:
    """Descent of what a set of answers costs, each object matched with one, after each layer of the decoder.

    The state is a `Learner`; a step reports the descended `loss`, and of the last layer `surprise`, the cross-entropy
    of classes in nats, and `box`, 1 - GIoU of what was matched. A picture without objects has answers of none alone.

    Args:
      model: `x -> Answers`.
      tx: optax transformation; end its chain with `core.average_params` to predict with averaged parameters.
      weights: of the loss's parts.
      prepare: `prepare(key, batch) -> (x [B, H, W, C], Objects of [B, S] slots)`, with boxes relative to x.
      axis: as in `core.descend`.
    Raises:
      BadInput: at trace time, if there are fewer queries than slots.
    Source: Carion et al. 2020, arXiv:2005.12872, eq. 1 and 2, appendix A.2.
    """

    def loss(answers: Answers, objects: Objects) -> Metrics:
        number, slots = answers.box.shape[2], objects.box.shape[1]
        if number < slots:
            raise BadInput(
                f"{number} queries for pictures with room for {slots} objects: there must be as many at least"
            )
        each = jax.vmap(jax.vmap(lambda *of: _set_misfit(*of, weights)), (0, None))  # of layers, of pictures
        losses, surprise, box = each(answers, objects)
        found = {"loss": Mean.of(losses.sum(0)), "surprise": Mean.of(surprise[-1])}
        return {**found, "box": Mean.of(box[-1], objects.present.sum(1) > 0)}

    return learning(model, tx, loss=loss, prepare=prepare, axis=axis, x="[B, H, W, C]")


def _set_misfit(answers: Answers, objects: Objects, weights: SetWeights) -> tuple[Array, Array, Array]:
    """Loss, surprise and misfit of boxes, of one picture after one layer."""
    log_prob = jax.nn.log_softmax(answers.logits)
    column = matched_queries(log_prob, answers.box, objects, weights)
    is_there = objects.present > 0
    none = answers.logits.shape[-1] - 1
    target = (
        jnp.full(len(answers.box), none)
        .at[jnp.where(is_there, column, len(answers.box))]
        .set(objects.label, mode="drop")
    )
    weight = jnp.where(target == none, weights.nothing, 1.0)
    surprise = -(weight * jnp.take_along_axis(log_prob, target[:, None], 1)[:, 0]).sum() / weight.sum()
    box, number = answers.box[column], jnp.maximum(is_there.sum(), 1)
    distance = jnp.abs(box - centred(objects.box)).sum(-1)
    misfit = 1 - generalised_box_iou(corners(box), objects.box)
    distance, misfit = (jnp.where(is_there, of, 0).sum() / number for of in (distance, misfit))
    return weights.label * surprise + weights.l1 * distance + weights.overlap * misfit, surprise, misfit


def matched_queries(log_prob: Array, box: Array, objects: Objects, weights: SetWeights) -> Array:
    """`[S]` the query of each slot, -1 of an empty one, of the least sum of costs.

    -label p(class) + l1 |b - b'|_1 - overlap GIoU(b, b')

    Args:
      log_prob: `[Q, K + 1]` of the classes.
      box: `[Q, 4]` centred.
      objects: of one picture, `[S]`.
      weights: as in `detr`.
    Source: Carion et al. 2020, arXiv:2005.12872, eq. 1.
    """
    cost = -weights.label * jnp.exp(log_prob[:, objects.label]).T
    cost += weights.l1 * jnp.abs(box[None] - centred(objects.box)[:, None]).sum(-1)
    cost -= weights.overlap * generalised_box_iou(corners(box)[None], objects.box[:, None])
    return assigned(cost, objects.present)


def answered(answers: Answers) -> Detections:
    """What the queries say at last: each its likeliest class, and how likely it is."""
    probability = jax.nn.softmax(answers.logits[-1])[..., :-1]
    box = jnp.clip(corners(answers.box[-1]), 0, 1)
    return Detections(box, probability.argmax(-1), probability.max(-1), jnp.ones(box.shape[:2], jnp.float32))
