"""The contrastive loss is PyTorch's, of figure 3; what matches is found, and classes by their words."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl.core import jitted
from adl.nn.mlp import MLP, flat
from adl.selfsup.embedder import normalised
from adl.selfsup.image_text import Pairs, TwoTowers, image_text, symmetric_surprise
from adl.selfsup.retrieval import Gallery, found_by_each_other

RNG = np.random.default_rng(0)
MODEL = TwoTowers(MLP((16, 8)), nn.Sequential([nn.Embed(6, 8), flat]), 8)


def told(size: int) -> dict[str, np.ndarray]:
    """Rows that a word tells, about."""
    token = RNG.integers(0, 6, (size, 1))
    return {"image": (np.eye(6)[token[:, 0]] + 0.1 * RNG.normal(size=(size, 6))).astype("f"), "token": token}


def test_the_loss_is_that_of_figure_3():
    torch = pytest.importorskip("torch")
    u, v = (normalised(jnp.asarray(RNG.normal(size=(7, 4)))) for _ in range(2))
    logits = 5 * torch.tensor(np.array(u)) @ torch.tensor(np.array(v)).T
    own = torch.arange(7)
    cross_entropy = torch.nn.functional.cross_entropy
    want = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
    np.testing.assert_allclose(symmetric_surprise(Pairs(u, v, 5.0))["loss"].value, want.item(), rtol=1e-5)


def test_classes_are_known_by_their_words():
    algorithm = jitted(image_text(MODEL, optax.adam(1e-2)))
    state = algorithm.init(jax.random.key(0), told(16))
    for step in range(150):
        state, _ = algorithm.step(jax.random.key(step), state, told(16))
    found = found_by_each_other(
        lambda state, x: MODEL.apply(state.variables, x, method="embed_picture"),
        lambda state, token: MODEL.apply(state.variables, token, method="embed_text"),
        {"test": gallery(100)},
    )(jax.random.key(0), state)
    for name in NAMES:
        assert found[f"test_{name}"].value > 0.95, name
    assert 0.1 < found["test_chance"].value < 0.3
    np.testing.assert_allclose(found["every"], [found[f"test_{name}"].value for name in NAMES])


NAMES = ("text", "picture", "exchanged", "pair")


def gallery(size: int) -> Gallery:
    """Rows, of which some are of no class, and some have no wrong word."""
    batch, place = told(size), np.arange(size)
    wrong = np.where(place[:, None] % 3 > 0, (batch["token"] + 1) % 6, batch["token"])
    label = np.where(place % 5 > 0, batch["token"][:, 0], -1)
    return Gallery(batch["image"], batch["token"], wrong, place % 3 > 0, np.arange(6).reshape(6, 1, 1), label)


def test_the_scale_is_bounded():
    state = image_text(MODEL, optax.sgd(0.0)).init(jax.random.key(0), told(4))
    params = {**state.params, "log_scale": jnp.asarray(100.0)}
    pairs = MODEL.apply({"params": params}, told(4)["image"], told(4)["token"])
    assert pairs.scale == 100
    np.testing.assert_allclose(jnp.square(pairs.picture).sum(-1), 1, rtol=1e-5)
