"""A set's matching and losses are Hugging Face's, whatever the order of objects and queries."""

import jax
import numpy as np
import optax
import pytest
import torch
from transformers.loss.loss_for_object_detection import HungarianMatcher, ImageLoss

from adl.core import BadInput, jitted
from adl.measure.boxes import centred
from adl.measure.detection import Objects
from adl.vision.detr import DETR, Answers, SetWeights, _set_misfit, answered, detr, matched_queries, on_a_grid
from tests.vision.cases_detection import PREPARE, batch

RNG = np.random.default_rng(0)
QUERIES, SLOTS, CLASSES, WEIGHTS = 9, 5, 4, SetWeights()


def picture(present):
    box = np.sort(RNG.random((SLOTS, 2, 2)), 1).reshape(SLOTS, 4).astype(np.float32)
    logits = 2 * RNG.normal(size=(QUERIES, CLASSES + 1)).astype(np.float32)
    sides = RNG.uniform(0.1, 0.5, (QUERIES, 2, 2)).reshape(QUERIES, 4).astype(np.float32)
    objects = Objects(box, RNG.integers(0, CLASSES, SLOTS), np.float32(present))
    return Answers(logits, sides), objects


def theirs(answers, objects):
    """Hugging Face's indices and losses, of one picture; their boxes are (x, y, width, height)."""
    is_there, order = objects.present > 0, [1, 0, 3, 2]
    box = np.asarray(centred(objects.box))[is_there][:, order]
    target = [{"class_labels": torch.tensor(objects.label[is_there]), "boxes": torch.tensor(box)}]
    outputs = {"logits": torch.tensor(answers.logits)[None], "pred_boxes": torch.tensor(answers.box[:, order])[None]}
    matcher = HungarianMatcher(class_cost=WEIGHTS.label, bbox_cost=WEIGHTS.l1, giou_cost=WEIGHTS.overlap)
    losses = ImageLoss(matcher, CLASSES, WEIGHTS.nothing, ["labels", "boxes"])(outputs, target)
    return matcher(outputs, target)[0], {name: float(value) for name, value in losses.items()}


def test_matching_and_losses_are_hugging_faces():
    for _ in range(20):
        answers, objects = picture(RNG.random(SLOTS) < 0.7 if _ else np.ones(SLOTS))
        if not objects.present.any():
            continue
        column = matched_queries(jax.nn.log_softmax(answers.logits), answers.box, objects, WEIGHTS)
        (query, slot), losses = theirs(answers, objects)
        assert (np.asarray(column)[objects.present == 0] == -1).all()
        np.testing.assert_array_equal(np.sort(column[objects.present > 0]), np.sort(query))
        np.testing.assert_array_equal(np.asarray(column)[objects.present > 0][slot], query)
        loss, surprise, misfit = _set_misfit(answers, objects, WEIGHTS)
        np.testing.assert_allclose(surprise, losses["loss_ce"], rtol=1e-5)
        np.testing.assert_allclose(misfit, losses["loss_giou"], rtol=1e-4)
        total = losses["loss_ce"] + WEIGHTS.l1 * losses["loss_bbox"] + WEIGHTS.overlap * losses["loss_giou"]
        np.testing.assert_allclose(loss, total, rtol=1e-4)


def test_order_of_objects_and_queries_does_not_matter():
    answers, objects = picture([1, 0, 1, 1, 0])
    loss = _set_misfit(answers, objects, WEIGHTS)[0]
    slots, queries = RNG.permutation(SLOTS), RNG.permutation(QUERIES)
    moved = Answers(*(of[queries] for of in answers)), Objects(*(of[slots] for of in objects[:3]))
    np.testing.assert_allclose(_set_misfit(*moved, WEIGHTS)[0], loss, rtol=1e-5)


def test_a_picture_without_objects_has_a_finite_loss_and_slope():
    answers, objects = picture(np.zeros(SLOTS))
    loss, slope = jax.value_and_grad(lambda of: _set_misfit(of, objects, WEIGHTS)[0])(answers)
    none = -jax.nn.log_softmax(answers.logits)[:, -1].mean()
    np.testing.assert_allclose(loss, none, rtol=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in slope) and not np.asarray(slope.box).any()


def test_answers_after_each_layer_and_what_is_answered_at_last():
    model = DETR(2, 5, (8,), 4, width=16, num_heads=2, num_encoder_layers=1, num_decoder_layers=3)
    image = RNG.random((2, 16, 20, 1)).astype(np.float32)
    answers = model.init_with_output(jax.random.key(0), image)[0]
    assert answers.logits.shape == (3, 2, 5, 3) and answers.box.shape == (3, 2, 5, 4)
    found = answered(answers)
    assert (np.asarray(found.box[..., 2:]) >= np.asarray(found.box[..., :2])).all() and found.label.max() < 2
    np.testing.assert_allclose(jax.nn.sigmoid(on_a_grid(4)), [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]])


def test_more_objects_than_queries_are_refused():
    model = DETR(2, 2, (8,), 4, width=16, num_heads=2, num_encoder_layers=1, num_decoder_layers=1)
    alg = jitted(detr(model, optax.sgd(0.1), prepare=PREPARE))
    state = alg.init(jax.random.key(0), batch(0))
    with pytest.raises(BadInput, match="2 queries for pictures with room for 3 objects"):
        alg.step(jax.random.key(0), state, batch(0))
