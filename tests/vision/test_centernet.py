"""Objects are the peaks of the heat map that they make, and a picture without any has a finite loss."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, jitted
from adl.measure.detection import Objects, precision_recall
from adl.vision.cells import in_cells
from adl.vision.centernet import CenterNet, CentreMaps, centernet, detections, focal, looked_at_twice, warmth_of
from tests.vision.cases_detection import PREPARE, batch

BOX = np.float32([[0, 0, 4, 6], [2, 3, 8, 7], [0, 0, 0, 0]])  # in cells of a map of 8 x 10
PRESENT = np.float32([1, 1, 0])


def test_warmth_is_one_in_the_cell_of_the_middle_and_falls_with_the_box():
    warmth = np.asarray(warmth_of(BOX, PRESENT, 8, 10, 0.25))
    assert warmth.shape == (3, 8, 10) and not warmth[2].any()
    assert [np.unravel_index(of.argmax(), of.shape) for of in warmth[:2]] == [(2, 3), (5, 5)]
    assert (warmth.max((1, 2)) == PRESENT).all() and (warmth == 1).sum() == 2
    np.testing.assert_allclose(
        warmth[0, 3, 5], np.exp(-0.5 * (1 / (0.25 * 4)) ** 2 - 0.5 * (2 / (0.25 * 6)) ** 2), rtol=1e-5
    )


def test_maps_that_say_what_is_there_find_all_of_it():
    """Among them two objects of one class whose middles are two cells apart."""
    box = np.float32([[[0.1, 0.1, 0.4, 0.35], [0.5, 0.5, 0.9, 0.8], [0.55, 0.7, 0.85, 0.95], [0, 0, 0, 0]]])
    label, present = np.array([[0, 2, 2, 0]]), np.float32([[1, 1, 1, 0]])
    size = 16
    heat, maps = np.full((1, size, size, 3), -9.0, np.float32), np.zeros((1, size, size, 4), np.float32)
    for (ymin, xmin, ymax, xmax), k in zip(box[0, :3] * size, label[0, :3], strict=True):
        y, x = (ymin + ymax) / 2, (xmin + xmax) / 2
        heat[0, int(y), int(x), k] = 9.0
        heat[0, int(y), int(x) - 1, k] = 8.0  # warm, but no peak
        maps[0, int(y), int(x)] = y - int(y) - 0.5, x - int(x) - 0.5, np.log(ymax - ymin), np.log(xmax - xmin)
    found = detections(CentreMaps(heat, maps), (64, 64), cell=4, most=6)
    assert (np.asarray(found.score) > 0.5).sum() == 3
    curves = precision_recall(found, Objects(box, label, present), num_classes=3)
    np.testing.assert_allclose(curves.mean_average_precision(), 1, atol=1e-6)


def test_focal_is_its_formula_and_safe_at_the_ends():
    logits, target = np.float32([[-2, 0.5, 1], [3, -1, 200]]), np.float32([[0, 1, 0.5], [0.9, 1, 0]])
    p = 1 / (1 + np.exp(-logits.astype(float)))
    with np.errstate(divide="ignore"):
        wanted = np.where(target == 1, -((1 - p) ** 2) * np.log(p), -((1 - target) ** 4) * p**2 * np.log(1 - p))
    wanted[1, 2] = 200
    np.testing.assert_allclose(focal(logits, target), wanted, rtol=1e-4)
    assert np.isfinite(jax.grad(lambda x: focal(x, target).sum())(1e4 * logits)).all()


def test_pictures_without_objects_have_a_finite_loss():
    alg = jitted(centernet(CenterNet(2, (8,), cell=4, fold=4), optax.sgd(0.1), cell=4, prepare=PREPARE))
    empty = {**batch(0), "present": 0 * batch(0)["present"]}
    state, metrics = alg.step(jax.random.key(0), alg.init(jax.random.key(0), empty), empty)
    assert 0 < float(metrics["loss"].value) < np.inf and float(metrics["box"].value) == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def test_cells_hold_all_pixels_also_of_pictures_that_they_do_not_fit():
    x = jnp.arange(5 * 7.0).reshape(1, 5, 7, 1)
    cells = in_cells(x, 4)
    assert cells.shape == (1, 2, 2, 16) and cells.sum() == x.sum()
    np.testing.assert_array_equal(cells[0, 0, 1].reshape(4, 4)[:, :3], x[0, :4, 4:, 0])
    finer = in_cells(x, 4, 2)
    assert finer.shape == (1, 4, 4, 4) and finer.sum() == x.sum()
    np.testing.assert_array_equal(finer[0, 1, 2].reshape(2, 2), x[0, 2:4, 4:6, 0])


def test_maps_have_a_cell_for_each_part_of_a_picture_at_whatever_resolution_the_network_begins():
    x = jnp.zeros((1, 18, 25, 3))

    def shapes(fold):
        model = CenterNet(2, (8, 8, 8), cell=4, fold=fold)
        return [of.shape for of in jax.eval_shape(lambda key: model.init_with_output(key, x)[0], jax.random.key(0))]

    assert [shapes(fold) for fold in (1, 2, 4)] == 3 * [[(1, 5, 7, 2), (1, 5, 7, 4)]]
    with pytest.raises(BadInput, match=r"cells of 4 pixels and a fold of 3, with 3 stages: .* 3, 6, 12 pixels"):
        shapes(3)


def test_a_picture_and_the_same_in_a_mirror_are_said_to_hold_the_same_in_a_mirror():
    model = CenterNet(2, (8, 8), cell=4)
    x = jax.random.normal(jax.random.key(0), (1, 16, 24, 3))
    parameters = model.init(jax.random.key(1), x)
    maps, turned = (looked_at_twice(lambda x: model.apply(parameters, x), of) for of in (x, jnp.flip(x, 2)))
    np.testing.assert_allclose(maps.heat, jnp.flip(turned.heat, 2), atol=1e-4)
    assert not np.allclose(maps.heat, turned.heat, atol=1e-3)
    found, again = (detections(of, (16, 24), cell=4, most=4) for of in (maps, turned))
    np.testing.assert_allclose(found.score, again.score, atol=1e-4)
    turned_back = 1 - again.box[..., jnp.array([3, 1])]  # what was right is left
    np.testing.assert_allclose(found.box[..., 1::2], turned_back, atol=1e-4)
    np.testing.assert_allclose(found.box[..., ::2], again.box[..., ::2], atol=1e-4)
