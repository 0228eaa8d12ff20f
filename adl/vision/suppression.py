"""Non-maximum suppression: of boxes that overlap much the surest stays, and the others are taken for it."""

import chex
import jax.numpy as jnp
from jax import Array, lax

from adl.measure.boxes import box_iou


def suppressed(
    box: Array, score: Array, *, threshold: float, label: Array | None = None, mask: Array | None = None
) -> Array:
    """Which boxes stay: from the surest on, each that overlaps none that stayed by more than the threshold.

    Of equal scores the earlier box comes first. The shapes are fixed, so that it compiles once: it says of all boxes
    whether they stay, by sweeps over all pairs until nothing changes, of which few are needed.

    Args:
      box: `[D, 4]`.
      score: `[D]`, the surer the higher.
      threshold: in [0, 1], of the intersection over union; 1 keeps all.
      label: `[D]` integers: boxes of other classes do not matter to each other; None: all do.
      mask: `[D]`: 1 is a box, 0 padding, which neither stays nor suppresses; None: all are boxes.
    Returns:
      `[D]` bool, in the order of the boxes. Batch with `jax.vmap`.
    Source: greedy suppression as in Felzenszwalb et al. 2010, IEEE TPAMI 32(9), section 7.2.
    """
    chex.assert_rank([box, score], [2, 1])
    chex.assert_equal_shape_prefix([box, score], 1)
    order = jnp.argsort(-score, stable=True)
    ranked = box[order]
    is_before = jnp.arange(len(score))[None, :] < jnp.arange(len(score))[:, None]
    rivals = is_before & (box_iou(ranked[:, None], ranked[None]) > threshold)
    if label is not None:
        rivals &= label[order][:, None] == label[order][None]
    is_box = jnp.ones(len(score), bool) if mask is None else mask[order] > 0

    # Once the first i are right, the next sweep makes the first i + 1 right; what a sweep does not change is right.
    def sweep(state):
        stays, _ = state
        after = is_box & ~(rivals & stays[None]).any(1)
        return after, (after != stays).any()

    stays, _ = lax.while_loop(lambda state: state[1], sweep, (is_box, jnp.array(True)))
    return jnp.zeros_like(stays).at[order].set(stays)
