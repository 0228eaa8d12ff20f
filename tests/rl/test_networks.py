"""Networks of agents: noise where there is a key, dueling streams, pictures under any leading axes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adl.rl.networks import NoisyDense, PictureActorCritic, QNetwork

KEY = jax.random.key(0)
OBS = jax.random.normal(KEY, (5, 4))
PICTURES = jax.random.bernoulli(KEY, 0.3, (3, 2, 10, 10, 4))


def test_noise_has_the_moments_of_the_paper_and_needs_a_key():
    """y = (mu + sigma f(e_out) f(e_in)^T) x: mean and covariance over draws, for one input."""
    layer, x = NoisyDense(2), jnp.array([[1.0, -2.0, 0.5]])
    variables = layer.init(KEY, x)
    params = variables["params"]
    np.testing.assert_allclose(params["spread"], np.full((3, 2), 0.5 / np.sqrt(3)), rtol=1e-6)
    plain = layer.apply(variables, x)
    np.testing.assert_allclose(plain, x @ params["kernel"] + params["bias"][None], rtol=1e-5)
    keys = jax.random.split(KEY, 40_000)
    draws = jax.vmap(lambda key: layer.apply(variables, x, rngs={"dropout": key})[0])(keys)
    # f(e)^2 = |e|, whose mean is sqrt(2 / pi); f is odd, so that products of different units vanish.
    mean_square = np.sqrt(2 / np.pi)
    sigma = 0.5 / np.sqrt(3)
    variance = sigma**2 * mean_square * (1 + mean_square * float(jnp.square(x).sum()))
    np.testing.assert_allclose(draws.mean(0), plain[0], atol=4 * np.sqrt(variance / len(keys)))
    np.testing.assert_allclose(draws.var(0), variance, rtol=0.1)


def test_dueling_streams_are_the_value_and_what_differs_from_it():
    model = QNetwork(3, (16, 8), streams="dueling")
    variables = model.init(KEY, OBS)
    q = model.apply(variables, OBS)
    assert q.shape == (5, 3)
    more = jax.tree.map(jnp.copy, variables)
    advantage = next(name for name, p in more["params"].items() if p.get("kernel", OBS).shape == (8, 3))
    more["params"][advantage]["bias"] += 7.0
    np.testing.assert_allclose(model.apply(more, OBS), q, atol=1e-5)


@pytest.mark.parametrize("options", [{"num_atoms": 5}, {"num_atoms": 5, "streams": "dueling", "dense": NoisyDense}])
def test_numbers_of_each_action(options):
    model = QNetwork(3, (16, 8), norm=nn.LayerNorm, **options)
    assert model.apply(model.init(KEY, OBS), OBS).shape == (5, 3, 5)


def test_pictures_have_any_leading_axes():
    actor = PictureActorCritic(3, (16,), (4,))
    variables = actor.init(KEY, PICTURES[0])
    numbers, value = actor.apply(variables, PICTURES)
    assert numbers.shape == (3, 2, 3) and value.shape == (3, 2) and numbers.dtype == jnp.float32
    np.testing.assert_allclose(numbers[1], actor.apply(variables, PICTURES[1])[0], atol=1e-6)
    model = QNetwork(3, (16,), (4,))
    assert model.apply(model.init(KEY, PICTURES[0]), PICTURES).shape == (3, 2, 3)


def test_without_convolutions_a_picture_is_one_vector():
    actor, model = PictureActorCritic(3, (16,), ()), QNetwork(3, (16, 8), rank=3)
    numbers, value = actor.apply(variables := actor.init(KEY, PICTURES[0]), PICTURES)
    layers = variables["params"]
    seen = nn.relu(nn.Dense(16).apply({"params": layers["Senses_0"]["Dense_0"]}, PICTURES.reshape(6, 400)))
    want = nn.Dense(3).apply({"params": layers["actor"]}, seen)
    np.testing.assert_allclose(numbers.reshape(6, 3), want, rtol=1e-4, atol=1e-7)
    assert value.shape == (3, 2)
    flat = QNetwork(3, (16, 8))
    variables = model.init(KEY, PICTURES[0])
    want = flat.apply(variables, PICTURES.reshape(3, 2, 400).astype(jnp.float32))
    np.testing.assert_allclose(model.apply(variables, PICTURES), want, rtol=1e-5, atol=1e-6)
