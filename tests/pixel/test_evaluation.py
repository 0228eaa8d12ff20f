"""What a model is judged and shown by."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import data
from adl.core import Learner, optimizer
from adl.pixel.evaluation import Painter, picture_bits, pictures_at_once
from adl.pixel.likelihood import categories
from tests.pixel.networks import drawn

SHAPE, LEVELS = (4, 3, 1), 5
X = np.random.default_rng(0).integers(0, LEVELS, (6, *SHAPE))
LABEL = np.arange(6) % 2


@pytest.fixture(scope="module")
def trained():
    model, variables, _ = drawn("made", SHAPE, LEVELS)
    return model, Learner.create(variables, optimizer.adam(0.1, average=0.9))


def test_bits_are_those_of_the_log_odds_and_padding_counts_for_nothing(trained):
    model, learner = trained
    measure = picture_bits(model, categories(LEVELS), lambda key, batch: (batch["x"],))
    mask = jnp.array([1.0, 1, 1, 1, 0, 0])
    found = measure(None, learner, {"x": jnp.asarray(X), "mask": mask})
    log_probs = jax.nn.log_softmax(model.apply(learner.variables, jnp.asarray(X)))
    nats = -np.take_along_axis(np.asarray(log_probs), X[..., None], -1).reshape(6, -1)[:4].sum(1)
    assert float(found["nll"].value) == pytest.approx(nats.mean(), rel=1e-5)
    assert float(found["bits"].value) == pytest.approx(nats.mean() / 12 / np.log(2), rel=1e-5)
    assert float(found["levels"].value) == LEVELS


def test_completions_keep_what_is_known_and_classes_are_recognised_where_there_are_two(trained):
    model, learner = trained
    painter = Painter(model, categories(LEVELS), SHAPE)
    both = painter.completions(X, LABEL, X, LABEL, num=2)(jax.random.key(0), learner)
    assert float(both["kept"].value) == 1
    assert both["grid"].shape == (4, 6, *SHAPE)
    np.testing.assert_allclose(both["grid"][2:, :, :2], np.broadcast_to(X[:, :2] / 4, (2, 6, 2, 3, 1)))
    assert (both["grid"][2] != both["grid"][3]).any()
    assert 0 <= float(both["class_accuracy"].value) <= 1
    one = painter.completions(X, 0 * LABEL, X, 0 * LABEL, num=1)(jax.random.key(0), learner)
    assert set(one) == {"kept", "grid"}


@pytest.mark.full
def test_a_model_that_sees_no_class_is_not_judged_by_it(trained):
    model, learner = trained
    image = np.round(X * 255 / (LEVELS - 1)).astype(np.uint8)
    reference = data.Split({"image": image, "label": LABEL.astype(np.int32)})
    seen = Painter(model, categories(LEVELS), SHAPE).judged(reference)(jax.random.key(0), learner)
    assert "two_sample_data" in seen and "class_accuracy" not in seen
    assert np.isin(np.float32(seen["grid"]), np.unique(image) / np.float32(255)).all()


def test_large_pictures_are_judged_a_few_at_a_time():
    assert pictures_at_once(categories(17), (8, 8, 1)) == 120
    assert pictures_at_once(categories(256), (64, 64, 3)) == 2**25 // (256 * 64 * 64 * 3)
    assert pictures_at_once(categories(256), (1024, 1024, 3)) == 1
