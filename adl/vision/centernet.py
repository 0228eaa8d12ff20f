"""CenterNet: an object is the peak of a heat map, and what is read there says where its sides are.

A picture is cut into cells. For each class and cell a network says how likely the middle of an object of it is there,
and for each cell where the box around that middle goes. Boxes are relative to the picture, (ymin, xmin, ymax, xmax) in
[0, 1]; within the network they are counted in cells.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.core import Algorithm, BadInput, Key, Mean, Metrics, learning
from adl.measure.boxes import corners, generalised_box_iou
from adl.measure.detection import Detections, Objects
from adl.nn.convolution import Conv
from adl.nn.resnet import ResidualBlock, group_norm
from adl.vision.cells import in_cells
from adl.vision.objects import Prepare

RARE = -2.19  # log-odds of one in ten, with which the heat map begins


class CentreMaps(NamedTuple):
    """What a network says of each cell."""

    heat: Array  # [B, h, w, K] log-odds that the middle of an object of this class is here
    box: Array  # [B, h, w, 4]: how far below and to the right of the cell's middle that is, log height and log width


class CenterNet(nn.Module):
    """A residual network that goes down and up again, with a head of two layers.

    Squares of pixels become channels at once (space to depth), so that nothing is computed at full resolution and
    nothing is lost. On the way up, which ends at the resolution of the cells, what comes from below is doubled in size
    and added to what was there.

    Source: Zhou et al. 2019, arXiv:1904.07850; the way up: Lin et al. 2017, arXiv:1612.03144.
    """

    num_classes: int  # K
    channels: Sequence[int] = (32, 64, 128)  # of each stage, at half the resolution of the one before; 8 n
    num_blocks: int = 1  # residual blocks of a stage, on the way down
    cell: int = 4  # pixels of a cell's side
    fold: int = 2  # pixels of a side of what the first convolution sees as one; 1, 2, 4 ... of them make a cell's side
    norm: Callable[..., nn.Module] = group_norm  # `norm(dtype=...)`
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and maps are float32

    @nn.compact
    def __call__(self, x: Array) -> CentreMaps:
        """Maps of `ceil(H / cell)` times `ceil(W / cell)` cells, of pictures `x` `[B, H, W, C]`."""
        chex.assert_rank(x, 4)
        own = self.own_stage
        h = Conv(self.channels[0], (3, 3), use_bias=False, dtype=self.dtype)(in_cells(x, self.cell, self.fold))
        levels = []
        for stage, width in enumerate(self.channels):
            for block in range(self.num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                h = ResidualBlock(width, stride, self.norm, self.dtype)(h)
            levels.append(h)
        for lateral in reversed(levels[own:-1]):
            h = Conv(lateral.shape[-1], (1, 1), use_bias=False, dtype=self.dtype)(
                nn.relu(self.norm(dtype=self.dtype)(h))
            )
            h = lateral + h.repeat(2, 1).repeat(2, 2)[:, : lateral.shape[1], : lateral.shape[2]]
            h = ResidualBlock(lateral.shape[-1], 1, self.norm, self.dtype)(h)
        h = nn.relu(self.norm(dtype=self.dtype)(h))
        h = nn.relu(Conv(self.channels[own], (3, 3), dtype=self.dtype)(h)).astype(jnp.float32)
        heat = nn.Dense(self.num_classes, bias_init=nn.initializers.constant(RARE), name="heat")(h)
        return CentreMaps(heat, nn.Dense(4, name="box")(h))

    @property
    def own_stage(self) -> int:
        """The stage at whose resolution the maps are."""
        stages = {self.fold * 2**stage: stage for stage in range(len(self.channels))}
        if self.cell not in stages:
            told = f"cells of {self.cell} pixels and a fold of {self.fold}, with {len(self.channels)} stages"
            raise BadInput(f"{told}: the side of a cell must be one of {', '.join(map(str, stages))} pixels")
        return stages[self.cell]


def centernet(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    cell: int = 4,
    spread: float = 0.12,
    box_weight: float = 2.0,
    prepare: Prepare,
    axis: str | None = None,
) -> Algorithm:
    """Descent of the surprise at where the middles of objects are, and of the misfit of the boxes around them.

    loss = focal(heat) + box_weight (1 - GIoU),   each the sum over a picture's objects over their number

    The boxes are learned at the cells around a middle too, as much as these are warm, which takes fewer steps than the
    paper's L1 distances at the middle alone.

    The state is a `Learner`; a step reports the descended `loss` and its parts, `heat` and `box`. A picture without
    objects has heat alone.

    Args:
      model: `x -> CentreMaps`, of K classes.
      tx: optax transformation; end its chain with `core.average_params` to predict with averaged parameters.
      cell: pixels of a cell's side, as the model's.
      spread: > 0, standard deviation of the warmth around a middle, in sides of the box.
      box_weight: >= 0.
      prepare: `prepare(key, batch) -> (x [B, H, W, C], Objects of [B, S] slots)`, with boxes relative to x.
      axis: as in `core.descend`.
    Source: Zhou et al. 2019, arXiv:1904.07850, section 3; boxes: Liu et al. 2020, arXiv:1909.00700, section 3.
    """

    def in_cells_of_x(key: Key, batch):
        x, objects = prepare(key, batch)
        size = jnp.array(x.shape[1:3], jnp.float32) / cell  # of the picture, in cells
        return x, objects._replace(box=objects.box * jnp.tile(size, 2)[None, None])

    def loss(maps: CentreMaps, objects: Objects) -> Metrics:
        return _misfit(maps, objects, spread, box_weight)

    return learning(model, tx, loss=loss, prepare=in_cells_of_x, axis=axis, x="[B, H, W, C]")


def _misfit(maps: CentreMaps, objects: Objects, spread: float, box_weight: float) -> Metrics:
    """The loss; boxes are counted in cells."""
    height, width, num_classes = maps.heat.shape[1:]
    warmth = jax.vmap(lambda box, present: warmth_of(box, present, height, width, spread))(objects.box, objects.present)
    is_class = jax.nn.one_hot(objects.label, num_classes) * objects.present[..., None]  # [B, S, K]
    target = (warmth[..., None] * is_class[:, :, None, None]).max(1)
    number = jnp.maximum(objects.present.sum(1), 1)
    heat = focal(maps.heat, target).sum((1, 2, 3)) / number

    owner, weight = warmth.argmax(1), warmth.max(1)  # [B, h, w]
    wanted = jnp.take_along_axis(objects.box, owner.reshape(len(owner), -1, 1), 1).reshape(*owner.shape, 4)
    distance = 1 - generalised_box_iou(boxes_in_cells(maps.box), wanted)
    box = (weight * distance).sum((1, 2)) / jnp.maximum(weight.sum((1, 2)), 1)
    return {"loss": Mean.of(heat + box_weight * box), "heat": Mean.of(heat), "box": Mean.of(box)}


def warmth_of(box: Array, present: Array, height: int, width: int, spread: float) -> Array:
    """`[S, h, w]` in [0, 1]: how near each cell is to the middle of each object, 1 in the cell where that is.

    exp(-((y - y0) / (spread H))^2 / 2 - ((x - x0) / (spread W))^2 / 2), of a box of H times W cells

    Args:
      box: `[S, 4]` in cells.
      present: `[S]`: 1 is an object, 0 an empty slot, which warms nothing.
      height: h, of the map.
      width: w.
      spread: as in `centernet`.
    """

    def along(start, end, number):
        middle = jnp.clip(jnp.floor((start + end) / 2), 0, number - 1)
        steps = jnp.arange(number)[None] - middle[:, None]
        return jnp.exp(-0.5 * jnp.square(steps / jnp.maximum(spread * (end - start), 1e-3)[:, None]))

    rows, columns = along(box[:, 0], box[:, 2], height), along(box[:, 1], box[:, 3], width)
    return rows[:, :, None] * columns[:, None] * present[:, None, None]


def focal(logits: Array, target: Array) -> Array:
    """`[...]` surprise at a heat map, where what is known already counts little, and little what is nearly warm.

    -(1 - p)^2 log p where the target is 1, -(1 - target)^4 p^2 log(1 - p) elsewhere

    Args:
      logits: `[...]` log-odds of p.
      target: `[...]` in [0, 1].
    Source: Zhou et al. 2019, arXiv:1904.07850, eq. 1.
    """
    p = jax.nn.sigmoid(logits)
    warm = -jnp.square(1 - p) * jax.nn.log_sigmoid(logits)
    cold = -((1 - target) ** 4) * jnp.square(p) * jax.nn.log_sigmoid(-logits)
    return jnp.where(target == 1, warm, cold)


def boxes_in_cells(box: Array) -> Array:
    """`[B, h, w, 4]` boxes in cells, of what maps say of them, as in `CentreMaps`."""
    height, width = box.shape[1:3]
    middle = jnp.stack(jnp.meshgrid(jnp.arange(height) + 0.5, jnp.arange(width) + 0.5, indexing="ij"), -1)
    return corners(jnp.concatenate([middle[None] + box[..., :2], jnp.exp(jnp.clip(box[..., 2:], -5.0, 8.0))], -1))


def looked_at_twice(look: Callable[[Array], CentreMaps], x: Array) -> CentreMaps:
    """Mean of what is said of pictures `x` `[B, H, W, C]` and of the same in a mirror at their side, turned back.

    Args:
      look: `x -> CentreMaps`.
      x: pictures, of a width that cells fill: others lie elsewhere in their cells in the mirror.
    """
    once, again = look(x), CentreMaps(*(jnp.flip(of, 2) for of in look(jnp.flip(x, 2))))
    turned = again._replace(box=again.box * jnp.array([1.0, -1.0, 1.0, 1.0])[None, None, None])
    return jax.tree.map(lambda a, b: (a + b) / 2, once, turned)


def detections(maps: CentreMaps, shape: Sequence[int], *, cell: int, most: int) -> Detections:
    """The D = `most` surest peaks of a heat map, each with the box that is read there, relative to the picture.

    A peak is at least as warm as the eight cells around it: suppression without boxes.

    Args:
      maps: of B pictures.
      shape: (H, W) of them.
      cell: as in `centernet`.
      most: boxes of a picture, of all classes.
    """
    heat = jax.nn.sigmoid(maps.heat)
    around = lax.reduce_window(heat, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")
    batch, _, _, num_classes = heat.shape
    peaks = jnp.where(heat == around, heat, 0).reshape(batch, -1)
    score, place = lax.top_k(peaks, min(most, peaks.shape[1]))
    size = jnp.tile(jnp.array(shape[:2], jnp.float32) / cell, 2)
    box = boxes_in_cells(maps.box).reshape(batch, -1, 4) / size[None, None]
    box = jnp.take_along_axis(box, place[..., None] // num_classes, 1)
    return Detections(jnp.clip(box, 0, 1), place % num_classes, score, (score > 0).astype(jnp.float32))
