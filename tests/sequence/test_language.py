"""A language model's loss is the surprise at each next token, and it learns a text that has a rule."""

import functools

import jax
import numpy as np
import optax
import pytest
from scipy.special import log_softmax

from adl.core import jitted
from adl.nn.experts import Experts
from adl.nn.transformer import GPT
from adl.sequence.language import language_model

MODEL = GPT(vocab_size=7, max_length=12, num_layers=1, num_heads=2, width=16)
COUNTING = (np.arange(13)[None] + np.arange(16)[:, None]) % 7  # each token is the last one's successor


def test_the_loss_is_the_surprise_at_the_next_token():
    algorithm = language_model(MODEL, optax.sgd(0.0))
    batch = {"token": np.random.default_rng(0).integers(0, 7, (4, 13))}
    learner = algorithm.init(jax.random.key(0), batch)
    logits = np.asarray(MODEL.apply(learner.variables, batch["token"][:, :-1]), np.float64)
    following = batch["token"][:, 1:]
    want = -np.take_along_axis(log_softmax(logits, -1), following[..., None], -1)
    _, metrics = algorithm.step(jax.random.key(1), learner, batch)
    assert metrics["loss"].count == 48
    np.testing.assert_allclose(metrics["loss"].value, want.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["accuracy"].value, (logits.argmax(-1) == following).mean())


def test_the_loss_of_experts_holds_their_balance():
    model = MODEL.clone(num_layers=2, feedforward=functools.partial(Experts, 3))
    batch = {"token": np.random.default_rng(0).integers(0, 7, (4, 13))}
    learner, seen = None, {}
    for weight in (0.0, 0.5):
        algorithm = language_model(model, optax.sgd(0.0), balance=weight)
        learner = learner or algorithm.init(jax.random.key(0), batch)
        seen[weight] = algorithm.step(jax.random.key(1), learner, batch)[1]
    of_layers = 2 * seen[0.0]["balance"].value
    assert abs(of_layers - 2) < 0.2  # at the start all are liked nearly as much
    np.testing.assert_allclose(seen[0.5]["loss"].value - seen[0.0]["loss"].value, 0.5 * of_layers, rtol=1e-4)


def test_it_learns_to_count():
    algorithm = jitted(language_model(MODEL, optax.adam(1e-2)))
    state = algorithm.init(jax.random.key(0), {"token": COUNTING})
    for step in range(60):
        state, metrics = algorithm.step(jax.random.key(step), state, {"token": COUNTING})
    assert metrics["accuracy"].value == 1 and metrics["loss"].value < 0.1


def test_a_text_longer_than_its_positions_is_refused():
    with pytest.raises(AssertionError, match="12"):
        MODEL.init(jax.random.key(0), np.zeros((1, 13), np.int32))
