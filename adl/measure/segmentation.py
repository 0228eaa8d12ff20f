"""Segmentation: how much of each class was found, by counts of pixels that merge by `+`."""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from adl.core.types import Array, Mean
from adl.data.segments import IGNORED


class PixelCounts(NamedTuple):
    """Pixels of each of K classes, of one picture or of many: `a + b` counts both.

    A class that is neither there nor told has no IoU and no Dice: nan, which means leave out. One that is only told,
    or only there, has 0.

    Source: Everingham et al. 2010, "The Pascal VOC Challenge", section 4.2 (IoU over the whole set, not by picture);
      Dice 1945, "Measures of the Amount of Ecologic Association Between Species".
    """

    both: Array  # [..., K] of the class and told so
    told: Array  # [..., K] told to be of the class
    true: Array  # [..., K] of the class

    @classmethod
    def of(cls, told: Array, true: Array, num_classes: int) -> "PixelCounts":
        """Counts of each picture.

        Args:
          told: `[..., H, W]` integers in 0 ... K - 1.
          true: `[..., H, W]` integers in 0 ... K - 1, or `IGNORED`: pixels that count nowhere.
          num_classes: K.
        """
        chex.assert_equal_shape([told, true])
        counts = (true != IGNORED)[..., None]
        is_told, is_true = (jax.nn.one_hot(x, num_classes, dtype=bool) & counts for x in (told, true))
        return cls(*(x.sum((-3, -2), dtype=jnp.float32) for x in (is_told & is_true, is_told, is_true)))

    def __add__(self, other: "PixelCounts") -> "PixelCounts":
        return PixelCounts(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def iou(self) -> Array:
        """`[..., K]` in [0, 1]: pixels of both over pixels of either."""
        return self.both / (self.told + self.true - self.both)

    @property
    def dice(self) -> Array:
        """`[..., K]` in [0, 1]: 2 both / (told + true), the F1 score of the class's pixels."""
        return 2 * self.both / (self.told + self.true)

    @property
    def total(self) -> "PixelCounts":
        """`[K]` of all pictures together."""
        return PixelCounts(*(x.reshape(-1, x.shape[-1]).sum(0) for x in self))


def scores(counts: PixelCounts, names: Sequence[str]) -> dict[str, Mean]:
    """What is usually said of segmentation.

    Args:
      counts: `[..., K]`; those of many pictures are added up first.
      names: K, of the classes.
    Returns:
      `accuracy`, the share of pixels whose class is told; `miou` and `dice`, means over the classes that occur;
      and of each class `iou_NAME` and `dice_NAME`, nan where it does not occur.
    """
    counts = counts.total
    both, told, true = counts
    found = {
        "accuracy": Mean(both.sum(), true.sum()),
        "miou": Mean.of(jnp.nanmean(counts.iou)),
        "dice": Mean.of(jnp.nanmean(counts.dice)),
    }
    for k, name in enumerate(names):
        found[f"iou_{name}"] = Mean(both[k], told[k] + true[k] - both[k])
        found[f"dice_{name}"] = Mean(2 * both[k], told[k] + true[k])
    return found


class ObjectPixels(NamedTuple):
    """How well each object of a picture was found, in its bounding box, by what is told there of its class."""

    iou: Array  # [B, S] in [0, 1]; nan where the slot has no pixels
    size: Array  # [B, S] its pixels, those that are seen

    @classmethod
    def of(cls, told: Array, true: Array, instance: Array, num_slots: int) -> "ObjectPixels":
        """Of each object; what else is of its class counts neither for it nor against it.

        Args:
          told: `[B, H, W]` integers, the classes.
          true: `[B, H, W]` integers.
          instance: `[B, H, W]` integers: 0, or 1 + the slot of the object that is seen here.
          num_slots: S.
        """
        chex.assert_equal_shape([told, true, instance])
        own = jax.nn.one_hot(instance - 1, num_slots, dtype=bool, axis=1)  # [B, S, H, W]
        label = jnp.where(own, true[:, None], -1).max((2, 3), keepdims=True)
        is_told = told[:, None] == label
        wrong = is_told & (true[:, None] != label) & _boxed(own)
        size = own.sum((2, 3), dtype=jnp.float32)
        return cls((is_told & own).sum((2, 3)) / jnp.where(size > 0, size + wrong.sum((2, 3)), jnp.nan), size)


def _boxed(own: Array) -> Array:
    """`[..., H, W]` bool: the bounding boxes of what is true in `own`."""
    rows, columns = own.any(-1), own.any(-2)

    def between(line):
        before = jnp.cumsum(line, -1) > 0
        return before & (jnp.cumsum(line[..., ::-1], -1)[..., ::-1] > 0)

    return between(rows)[..., :, None] & between(columns)[..., None, :]
