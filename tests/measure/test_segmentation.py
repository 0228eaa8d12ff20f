"""Counts of pixels are scikit-learn's, and merge; classes that are nowhere are left out; objects are judged alone."""

import numpy as np
import pytest
from sklearn import metrics

from adl.data.segments import IGNORED
from adl.measure.segmentation import ObjectPixels, PixelCounts, scores

RNG = np.random.default_rng(0)
TOLD, TRUE = RNG.integers(0, 4, (2, 5, 9, 7))
NAMES = ["a", "b", "c", "d"]


def values(counts: PixelCounts, names=NAMES) -> dict[str, float]:
    return {name: float(mean.value) for name, mean in scores(counts, names).items()}


def test_scores_are_scikit_learns():
    counts = PixelCounts.of(TOLD, TRUE, 4)
    found, flat = values(counts), (TRUE.reshape(-1), TOLD.reshape(-1))
    table = metrics.confusion_matrix(*flat)
    np.testing.assert_array_equal(np.stack(counts.total), [np.diag(table), table.sum(0), table.sum(1)])
    iou, dice = metrics.jaccard_score(*flat, average=None), metrics.f1_score(*flat, average=None)
    np.testing.assert_allclose([found[f"iou_{name}"] for name in NAMES], iou, rtol=1e-6)
    np.testing.assert_allclose([found[f"dice_{name}"] for name in NAMES], dice, rtol=1e-6)
    for name, want in {"accuracy": metrics.accuracy_score(*flat), "miou": iou.mean(), "dice": dice.mean()}.items():
        assert found[name] == pytest.approx(want, rel=1e-6)


def test_batches_merge_to_the_whole_and_not_to_a_mean_of_means():
    first, rest = (PixelCounts.of(TOLD[part], TRUE[part], 4).total for part in (slice(0, 1), slice(1, None)))
    whole = PixelCounts.of(TOLD, TRUE, 4)
    assert values(first + rest) == values(whole)
    assert values(whole)["miou"] != pytest.approx(np.asarray(whole.iou).mean(), abs=1e-4)


def test_a_class_that_is_nowhere_is_left_out_and_one_that_is_missed_is_not():
    told, true = np.array([[[0, 0, 2]]]), np.array([[[0, 1, 0]]])
    found = values(PixelCounts.of(told, true, 4))
    assert np.isnan(found["iou_d"]) and np.isnan(found["dice_d"])
    assert (found["iou_a"], found["iou_b"], found["iou_c"]) == (pytest.approx(1 / 3), 0, 0)
    assert found["miou"] == pytest.approx(1 / 9) and found["dice"] == pytest.approx(1 / 6)


def test_ignored_pixels_count_nowhere():
    true = np.where(RNG.random(TRUE.shape) < 0.3, IGNORED, TRUE)
    flat = (true[true != IGNORED], TOLD[true != IGNORED])
    found = values(PixelCounts.of(TOLD, true, 4))
    np.testing.assert_allclose(found["miou"], metrics.jaccard_score(*flat, average="macro"), rtol=1e-6)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(*flat))
    assert np.isnan(values(PixelCounts.of(TOLD, np.full_like(TRUE, IGNORED), 4))["accuracy"])


def test_objects_are_judged_in_their_boxes_alone():
    """By hand: a bar of class 1, a second one beside it, and a square of class 2 far away."""
    true, instance = np.zeros((2, 1, 6, 8), int)
    true[0, 1, :4], instance[0, 1, :4] = 1, 1
    true[0, 2, 1:3], instance[0, 2, 1:3] = 1, 2
    true[0, 4:, 6:], instance[0, 4:, 6:] = 2, 3
    told = true.copy()
    told[0, 1, 0] = 0  # missed
    told[0, 2, 0] = 1  # in no object's box
    told[0, 4, 6] = told[0, 0, 0] = 1  # one pixel of the square taken for a bar; and one far from all
    iou, size = ObjectPixels.of(told, true, instance, 4)
    np.testing.assert_allclose(iou[0], [3 / 4, 1, 3 / 4, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(size[0], [4, 2, 4, 0])
    told[0, 4, 5:] = 2, 0, 2  # told within the square's box are 3 of it, and one outside is no matter
    true[0, 4, 6], instance[0, 4, 6] = 0, 0
    told[0, 4, 6] = 2
    assert ObjectPixels.of(told, true, instance, 4).iou[0, 2] == pytest.approx(3 / 4)
