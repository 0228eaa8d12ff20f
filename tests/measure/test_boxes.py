"""Overlaps are those of pycocotools and of Hugging Face's DETR; gradients are finite, also of boxes without area."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from pycocotools import mask
from transformers.loss.loss_for_object_detection import generalized_box_iou

from adl.measure.boxes import box_area, box_iou, centred, corners, generalised_box_iou

RNG = np.random.default_rng(0)
A, B = (np.sort(RNG.uniform(0, 10, (2, 60, 2, 2)), 2).reshape(2, -1, 4)[i].astype(np.float32) for i in (0, 1))


def pairs(overlap):
    return overlap(A[:, None], B[None])


def test_intersection_over_union_is_pycocotools():
    xywh = [np.stack([x[:, 1], x[:, 0], x[:, 3] - x[:, 1], x[:, 2] - x[:, 0]], 1).astype(np.float64) for x in (A, B)]
    np.testing.assert_allclose(pairs(box_iou), mask.iou(*xywh, [0] * len(B)), atol=1e-6)


def test_generalised_is_hugging_faces():
    xy = [torch.from_numpy(x[:, [1, 0, 3, 2]].copy()) for x in (A, B)]
    np.testing.assert_allclose(pairs(generalised_box_iou), generalized_box_iou(*xy).numpy(), atol=1e-5)


def test_it_is_between_overlap_and_one_less():
    iou, generalised = pairs(box_iou), pairs(generalised_box_iou)
    assert (generalised <= iou + 1e-6).all() and (generalised > -1).all() and (generalised < 0).any()
    np.testing.assert_allclose(generalised_box_iou(A, A), 1, atol=1e-6)


@pytest.mark.parametrize("overlap", [box_iou, generalised_box_iou])
def test_boxes_without_area_have_values_and_slopes(overlap):
    """A point in a box, the same point twice, a line, a box whose end lies before its start."""
    a = jnp.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 2], [3, 3, 1, 1], [0, 0, 2, 2]], jnp.float32)
    b = jnp.array([[0, 0, 2, 2], [1, 1, 1, 1], [0, 0, 2, 2], [0, 0, 4, 4], [5, 5, 6, 6]], jnp.float32)
    value, slope = overlap(a, b), jax.grad(lambda a: overlap(a, b).sum())(a)
    assert np.isfinite(slope).all()
    np.testing.assert_allclose(value[:4], 0, atol=1e-6)  # the hull is the other box, or empty
    if overlap is generalised_box_iou:
        np.testing.assert_allclose(value[4], -(36 - 5) / 36, rtol=1e-6)
        assert (np.abs(slope[4]) > 0).any()  # it says which way to go, where the overlap does not
    else:
        assert value[4] == 0 and not slope[4].any()


def test_slopes_are_differences():
    step = 1e-3
    for overlap in (box_iou, generalised_box_iou):
        slope = jax.grad(lambda a, overlap=overlap: overlap(a, B).sum())(A)
        for side in range(4):
            move = step * np.eye(4, dtype=np.float32)[side]
            told = (overlap(A + move[None], B).sum() - overlap(A - move[None], B).sum()) / (2 * step)
            np.testing.assert_allclose(slope[:, side].sum(), told, atol=2e-2)


def test_centres_and_corners_are_inverse():
    np.testing.assert_allclose(corners(centred(A)), A, atol=1e-5)
    np.testing.assert_allclose(box_area(A), centred(A)[:, 2:].prod(-1), rtol=1e-5)
