"""The recogniser tells what is in each quarter, and learns what is asked of it at once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl import data
from adl.core import by_random_batches, learning
from adl.vision import told

SIZES = (2, 3)


def test_losses_of_several_questions_add_up():
    logits = jax.random.normal(jax.random.key(0), (5, 5))
    label = np.array([[0, 1], [1, 2], [0, 0], [1, 1], [0, 2]])
    found = told.several_surprises(SIZES)(logits, jnp.asarray(label))
    each = [
        optax.softmax_cross_entropy_with_integer_labels(logits[:, s], label[:, q])
        for q, s in enumerate((slice(0, 2), slice(2, 5)))
    ]
    np.testing.assert_allclose(found["loss"].value, np.mean(each[0] + each[1]), rtol=1e-5)
    answers = np.asarray(told.several_answers(logits, SIZES))
    np.testing.assert_array_equal(answers, np.stack([logits[:, :2].argmax(1), logits[:, 2:].argmax(1)], 1))
    np.testing.assert_allclose(found["accuracy"].value, (answers == label).all(1).mean(), rtol=1e-6)


def test_learns_from_examples_in_memory():
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("f")
    label = np.stack([x[:, 0] > 0, 1 * (x[:, 1] > -0.5) + (x[:, 1] > 0.5)], 1).astype(np.int32)
    algorithm = learning(nn.Dense(5), optax.adam(0.05), loss=told.several_surprises(SIZES), prepare=lambda key, b: b)
    state = by_random_batches(algorithm, num_steps=300, batch_size=32)(jax.random.key(0), (x, label))
    answers = told.several_answers(nn.Dense(5).apply({"params": state.params}, x), SIZES)
    assert (answers == label).all(1).mean() > 0.85


@pytest.mark.full
def test_a_recogniser_knows_other_renderings():
    """It learns from pairs of both kinds, and knows those of pictures that it has not seen."""
    known = data.load("scenes/told", "train[:2000]+held_out[:500]")
    see = told.recogniser(known, num_steps=800)
    for name in ("test", "held_out[500:]"):
        split = data.load("scenes/told", name).first(500)
        found = see(split.column("image") / np.float32(255))
        assert (found.colour == split.column("colour")).mean() > 0.97
        assert (found.shape == split.column("noun")).mean() > 0.95
