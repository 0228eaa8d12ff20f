"""Average precision is what `pycocotools` counts: of thresholds, classes, ranges of area, crowds, empty pictures."""

import contextlib
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from adl.measure.detection import COCO_AREAS, Detections, Objects, precision_recall

RNG = np.random.default_rng(3)
PICTURES, SLOTS, FOUND, CLASSES = 12, 6, 15, 4
counted = jax.jit(
    lambda found, objects, most: precision_recall(
        found, objects, num_classes=CLASSES, areas=COCO_AREAS, max_detections=most
    ),
    static_argnums=2,
)


def random_boxes(size, whole):
    """Of all three of COCO's sizes; whole numbers meet the thresholds exactly."""
    corner = RNG.uniform(0, 100, (*size, 2))
    sides = np.exp(RNG.uniform(np.log(8), np.log(200), (*size, 2)))
    box = np.concatenate([corner, corner + sides], -1)
    return np.round(box) if whole else box


def scenes(whole=False, crowds=False):
    """Objects, and detections of which many lie near one and many tie."""
    box = random_boxes((PICTURES, SLOTS), whole)
    label = RNG.integers(0, CLASSES - 1, (PICTURES, SLOTS))  # the last class has no objects
    present = (RNG.random((PICTURES, SLOTS)) < 0.7).astype("f")
    present[0] = 0
    crowd = crowds * (RNG.random((PICTURES, SLOTS)) < 0.3)
    of = RNG.integers(0, SLOTS, (PICTURES, FOUND))
    near = np.take_along_axis(box, of[..., None], 1)
    if whole:
        near = near + RNG.choice(3, near.shape)
    else:
        near = near + RNG.uniform(-0.1, 0.1, near.shape) * np.tile(near[..., 2:] - near[..., :2], 2)
    found = np.where(RNG.random((PICTURES, FOUND, 1)) < 0.8, near, random_boxes((PICTURES, FOUND), whole))
    found[..., 2:] = np.maximum(found[..., 2:], found[..., :2] + 1)
    same = RNG.random((PICTURES, FOUND)) < 0.8
    said = np.where(same, np.take_along_axis(label, of, 1), RNG.integers(0, CLASSES, of.shape))
    score = np.round(RNG.random(of.shape), 1)
    mask = (RNG.random(of.shape) < 0.8).astype("f")
    mask[1] = 0
    f = np.float32
    return Detections(found.astype(f), said, score.astype(f), mask), Objects(
        box.astype(f), label, present, is_crowd=crowd.astype(bool)
    )


def coco(found, objects, most):
    """`pycocotools`' evaluation of the same, with nan for its -1."""

    def xywh(box):
        ymin, xmin, ymax, xmax = map(float, box)
        return [xmin, ymin, xmax - xmin, ymax - ymin]

    truth, results = [], []
    for n, s in zip(*np.nonzero(np.asarray(objects.present)), strict=True):
        bbox, is_crowd = xywh(objects.box[n, s]), int(objects.is_crowd[n, s])
        truth.append({"id": len(truth) + 1, "image_id": int(n), "category_id": int(objects.label[n, s]), "bbox": bbox})
        truth[-1] |= {"area": bbox[2] * bbox[3], "iscrowd": is_crowd}
    for n, d in zip(*np.nonzero(np.asarray(found.mask)), strict=True):
        of = {"image_id": int(n), "category_id": int(found.label[n, d]), "bbox": xywh(found.box[n, d])}
        results.append({**of, "score": float(found.score[n, d])})
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = {"images": [{"id": i} for i in range(PICTURES)], "annotations": truth, "info": {}}
        data.dataset["categories"] = [{"id": k} for k in range(CLASSES)]
        data.createIndex()
        said = COCO()
        said.dataset = {**data.dataset, "annotations": []}
        said.createIndex()
        said = data.loadRes(results) if results else said
        judge = COCOeval(data, said, "bbox")
        judge.params.maxDets = [most]
        judge.evaluate()
        judge.accumulate()
    blank = [np.where(judge.eval[name] == -1, np.nan, judge.eval[name]) for name in ("precision", "recall")]
    return blank[0][..., 0], blank[1][..., 0]


@pytest.mark.parametrize("kind", ["plain", "whole", "crowds", "few", "nothing there", "nothing found"])
def test_is_what_pycocotools_counts(kind):
    for _ in range(3):
        found, objects = scenes(whole=kind == "whole", crowds=kind == "crowds")
        if kind == "nothing there":
            objects = objects._replace(present=0 * objects.present)
        if kind == "nothing found":
            found = found._replace(mask=0 * found.mask)
        most = 2 if kind == "few" else 100
        ours = counted(found, objects, most)
        precision, recall = coco(found, objects, most)
        np.testing.assert_allclose(ours.precision, precision, atol=1e-6)
        np.testing.assert_allclose(ours.recall, recall, atol=1e-6)
        if kind == "nothing there":
            assert np.isnan(ours.mean_average_precision()).all()
        else:
            mean = np.nanmean(precision[..., 0], (1, 2))  # each class that is there has all of the recalls
            np.testing.assert_allclose(ours.mean_average_precision(), mean, atol=1e-6)


def test_order_of_pictures_and_slots_of_padding_do_not_matter():
    found, objects = scenes()
    wider = jax.tree.map(lambda x: np.concatenate([x, x[:, :1]], 1), (found, objects))
    wider = (
        wider[0]._replace(mask=np.pad(found.mask, [(0, 0), (0, 1)])),
        wider[1]._replace(present=np.pad(objects.present, [(0, 0), (0, 1)])),
    )
    a, b = counted(found, objects, 100), counted(*wider, 100)
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y), a, b)
    assert jnp.nanmax(a.average_precision) > 0.3
