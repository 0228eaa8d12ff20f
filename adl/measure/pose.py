"""Poses: how far from their joints, in pixels and in the measure of the body, a model's are."""

import chex
import jax.numpy as jnp

from adl.core.types import Array, Mean

TORSO = (9, 2)  # left shoulder and right hip, of LSP's order
HEAD = (12, 13)  # neck and head top


def joint_errors(predicted: Array, joints: Array) -> Array:
    """`[..., J]` distances of joints from where they were said to be, in pixels.

    Args:
      predicted: `[..., J, 2]` (x, y) in pixels.
      joints: `[..., J, 2]` the truth.
    """
    chex.assert_equal_shape([predicted, joints])
    difference = predicted - joints
    return jnp.hypot(difference[..., 0], difference[..., 1])


def segment_length(joints: Array, known: Array, ends: tuple[int, int] = TORSO) -> Array:
    """`[...]` length of a part of the body, in pixels; nan where an end is not known, or both are in one place.

    Args:
      joints: `[..., J, 2]` (x, y) in pixels.
      known: `[..., J]` whether a joint's place means something.
      ends: two joints: `TORSO`, or `HEAD`.
    """
    chex.assert_equal_shape_prefix([joints, known], joints.ndim - 1)
    first, last = ends
    length = joint_errors(joints[..., first, :], joints[..., last, :])
    is_there = (known[..., first] > 0) & (known[..., last] > 0) & (length > 0)
    return jnp.where(is_there, length, jnp.nan)


def pck(error: Array, reference: Array, weight: Array, threshold: Array | float) -> Mean:
    """Percentage of correct keypoints, as a share: of joints that lie within `threshold` parts of the body's length.

    mean of [error <= threshold reference],   over joints of weight 1 in pictures whose reference is known

    Args:
      error: `[N, J]` in pixels, as `joint_errors`; nan is not correct.
      reference: `[N]` in pixels, as `segment_length`; pictures where it is nan are left out.
      weight: `[N, J]`, >= 0: 1 where a joint counts.
      threshold: >= 0, `[]`: 0.2 of the torso, or 0.5 of the head (PCKh). `jax.vmap` over the last axes gives the share
        of each joint, over thresholds the curve.
    Source: Yang & Ramanan 2013, IEEE TPAMI 35(12), section 6.2; PCKh: Andriluka et al. 2014, CVPR.
    """
    chex.assert_equal_shape_prefix([error, reference, weight], 1)
    chex.assert_equal_shape([error, weight])
    reference = reference.reshape(-1, *[1] * (error.ndim - 1))
    is_known = reference > 0
    return Mean.of(error <= threshold * reference, jnp.where(is_known, weight, 0))


def pose_scores(
    predicted: Array,
    joints: Array,
    visible: Array,
    known: Array | None = None,
    *,
    ends: tuple[int, int] = TORSO,
    threshold: float = 0.2,
) -> dict[str, Mean]:
    """What is said of a model's poses of N pictures.

    Args:
      predicted: `[N, J, 2]` (x, y) in pixels.
      joints: `[N, J, 2]` the truth.
      visible: `[N, J]` whether a joint is seen.
      known: `[N, J]` whether its place means something, also where it is not seen; None: `visible`.
      ends: of the part of the body that the reference is, as in `segment_length`.
      threshold: as in `pck`.
    Returns:
      `pck` of visible joints, `error` of these in pixels, and `left_out`, the number of pictures that have no reference
      and do not count in `pck`; where `known` is given also `pck_hidden` and `error_hidden`, of the joints that are
      known and not visible.
    """
    chex.assert_equal_shape_prefix([predicted, joints, visible], 2)
    seen = visible > 0
    is_known = seen if known is None else known > 0
    error, reference = joint_errors(predicted, joints), segment_length(joints, is_known, ends)
    weights = {"": seen & is_known} | ({} if known is None else {"_hidden": ~seen & is_known})
    scores = {"left_out": Mean(jnp.isnan(reference).sum().astype(jnp.float32), jnp.float32(1))}
    for name, counts in weights.items():
        scores[f"pck{name}"] = pck(error, reference, counts, threshold)
        scores[f"error{name}"] = Mean.of(error, counts)
    return scores
