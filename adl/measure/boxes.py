"""Boxes that lie along the axes of a picture: `(ymin, xmin, ymax, xmax)` on the last axis, in any one unit.

A box whose end lies before its start is empty, as is one of no area.
"""

import chex
import jax.numpy as jnp

from adl.core.types import Array


def corners(centred: Array) -> Array:
    """`[..., 4]` boxes of `[..., 4]` (y and x of the centre, height, width)."""
    chex.assert_axis_dimension(centred, -1, 4)
    centre, size = jnp.split(centred, 2, -1)
    return jnp.concatenate([centre - size / 2, centre + size / 2], -1)


def centred(box: Array) -> Array:
    """`[..., 4]` (y and x of the centre, height, width) of boxes `[..., 4]`; the inverse of `corners`."""
    chex.assert_axis_dimension(box, -1, 4)
    start, end = jnp.split(box, 2, -1)
    return jnp.concatenate([(start + end) / 2, end - start], -1)


def box_area(box: Array) -> Array:
    """`[...]` areas of boxes `[..., 4]`; 0 of empty ones."""
    chex.assert_axis_dimension(box, -1, 4)
    start, end = jnp.split(box, 2, -1)
    return jnp.maximum(end - start, 0).prod(-1)


def box_iou(a: Array, b: Array) -> Array:
    """Intersection over union of boxes: 1 where they are the same, 0 where they do not overlap or one is empty.

    |a and b| / |a or b|

    Args:
      a: `[..., 4]`.
      b: `[..., 4]`, of a shape that broadcasts with a's: all pairs are of `a[..., :, None, :]` and
        `b[..., None, :, :]`.
    Returns:
      `[...]` in [0, 1]. Gradients are finite everywhere, and 0 where the boxes do not overlap.
    Source: Jaccard 1912, New Phytologist 11(2).
    """
    return _over(*_shared_and_union(a, b))


def generalised_box_iou(a: Array, b: Array) -> Array:
    """The same less the share of their common hull that neither has: it has a slope also where they are apart.

    IoU - |hull less (a or b)| / |hull|

    Args:
      a: as in `box_iou`.
      b: as in `box_iou`.
    Returns:
      `[...]` in [-1, 1]; of two empty boxes at one place, whose hull is empty, 0.
    Source: Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1.
    """
    shared, union = _shared_and_union(a, b)
    ends = jnp.maximum(a[..., 2:], b[..., 2:]), jnp.minimum(a[..., :2], b[..., :2])
    hull = jnp.maximum(ends[0] - ends[1], 0).prod(-1)
    return _over(shared, union) - _over(hull - union, hull)


def _shared_and_union(a: Array, b: Array) -> tuple[Array, Array]:
    """`[...]` areas."""
    chex.assert_axis_dimension(a, -1, 4)
    chex.assert_axis_dimension(b, -1, 4)
    start, end = jnp.maximum(a[..., :2], b[..., :2]), jnp.minimum(a[..., 2:], b[..., 2:])
    shared = jnp.maximum(end - start, 0).prod(-1)
    return shared, box_area(a) + box_area(b) - shared


def _over(part: Array, whole: Array) -> Array:
    """Their quotient; 0 of nothing, without a gradient."""
    is_none = whole <= 0  # nan is not
    return jnp.where(is_none, 0, part / jnp.where(is_none, 1, whole))
