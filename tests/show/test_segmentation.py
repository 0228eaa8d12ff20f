"""Figures of answers at pixels have what was told, and the shares that are wrong."""

import numpy as np

from adl import show
from adl.run.experiment import Outcome

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (3, 6, 5, 3), dtype=np.uint8)
SEGMENT, TOLD = RNG.integers(0, 2, (2, 3, 6, 5))
SEGMENT[0, 0, :2] = 255
DEPTH, METRES = RNG.uniform(1, 5, (2, 3, 6, 5)).astype("f")
DEPTH[1, 0] = 0
ROW = {"step": 1, "test/miou": 0.5, "test/iou_a": 0.4, "test/iou_b": np.nan, "test/relative": 0.1}


def outcome(**arrays) -> Outcome:
    return Outcome([ROW], {f"test/{name}": array for name, array in arrays.items()})


def test_masks_and_their_errors():
    names = ["a", "b"]
    figure = show.segmented("test/told", image=IMAGE, segment=SEGMENT, names=names)(outcome(told=TOLD))
    shown = np.array([ax.images[0].get_array() for ax in figure.axes[:3]])
    np.testing.assert_array_equal(shown, IMAGE)
    counts = SEGMENT != 255
    wrong = [((a != b) & c).sum() / c.sum() for a, b, c in zip(TOLD, SEGMENT, counts, strict=True)]
    assert [ax.get_xlabel() for ax in figure.axes[9:12]] == [f"{share:.1%}" for share in wrong]
    masks = [np.asarray(ax.images[0].get_array()) for ax in figure.axes[3:9]]
    assert (masks[0][0, :2] == 255).all() and {tuple(c) for c in masks[3].reshape(-1, 3)} <= {
        tuple(c) for c in np.concatenate([m.reshape(-1, 3) for m in masks[:3]])
    }
    grey = show.segmented("test/told", image=IMAGE[..., :2], segment=SEGMENT, names=names)(outcome(told=TOLD))
    assert grey.axes[0].images[0].get_array().ndim == 2


def test_overlaps_of_classes_and_of_objects():
    figure = show.class_overlap(["a", "b"], {"network": "test"})(outcome())
    assert figure.axes[0].get_xlabel() == "IoU"
    iou, size = RNG.random((40, 3)), RNG.integers(1, 300, (40, 3)).astype(float)
    iou[:, 2] = np.nan
    seen = np.where(np.arange(3) < 1, 1.0, RNG.random((40, 3)))
    figure = show.object_overlap("test", seen)(outcome(object_iou=iou, object_size=size))
    hidden = figure.axes[1].lines[0].get_xdata()
    assert hidden[0] == 0 and (np.diff(hidden) > 0).all()
    assert figure.axes[1].lines[0].get_ydata()[0] == np.float64(iou[:, 0].mean())
    show.object_overlap("test", seen)(outcome(object_iou=np.nan * iou, object_size=size))


def test_depths_and_their_errors():
    figure = show.depth_maps("test/told", image=IMAGE, depth=DEPTH)(outcome(told=METRES))
    parts = [ax for ax in figure.axes if ax.images]
    np.testing.assert_allclose(parts[3].images[0].get_array(), DEPTH[0])
    assert np.isnan(np.asarray(parts[4].images[0].get_array().filled(np.nan))[0]).all()
    known = DEPTH[2] > 0
    share = (np.abs(METRES[2] - DEPTH[2]) / DEPTH[2])[known].mean()
    assert parts[11].get_xlabel() == f"{share:.1%}"
    arrays = {"depth": np.array([1.0, 2, 3]), "error": np.array([0.1, 0.2, np.nan])}
    figure = show.error_by_depth("test", {})(outcome(**arrays))
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), arrays["error"])
