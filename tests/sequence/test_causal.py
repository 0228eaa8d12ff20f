"""Networks by name: every one reads a text at once as it does token by token."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import tree
from adl.sequence.causal import Kind, attention_weights, causal_layers, network

SIZE = {"num_layers": 2, "width": 8, "length": 9, "num_heads": 2}
TOKEN = np.random.default_rng(0).integers(0, 5, (3, 9))


@pytest.mark.parametrize("kind", typing.get_args(Kind))
def test_a_text_in_pieces_is_the_text(kind):
    model = network(kind, 5, position="rotary", **SIZE)
    variables = jax.jit(model.init)(jax.random.key(0), TOKEN)
    whole = model.apply(variables, TOKEN)
    assert whole.shape == (3, 9, 5) and whole.dtype == jnp.float32
    first, cache = model.apply(variables, TOKEN[:, :4], cache=model.empty_cache(3))
    second, _ = model.apply(variables, TOKEN[:, 4:], cache=cache)
    np.testing.assert_allclose(whole, jnp.concatenate([first, second], 1), atol=1e-5)


def test_options_are_those_of_the_network():
    """Layers, dropout and precision reach every kind."""
    for kind in typing.get_args(Kind):
        count = [
            tree.count(jax.eval_shape(network(kind, 5, **{**SIZE, "num_layers": n}).init, jax.random.key(0), TOKEN))
            for n in (1, 2, 3)
        ]
        assert count[2] - count[1] == count[1] - count[0] > 100
        model = network(kind, 5, dropout=0.5, dtype=jnp.bfloat16, **SIZE)
        variables = jax.jit(model.init)(jax.random.key(0), TOKEN)
        exact = network(kind, 5, **SIZE).apply(variables, TOKEN)
        kept, dropped = (model.apply(variables, TOKEN, rngs=rngs) for rngs in ({}, {"dropout": jax.random.key(1)}))
        assert 0 < np.abs(kept - exact).max() < 0.1 * np.abs(exact).max()
        assert np.abs(dropped - kept).max() > 0.1 * np.abs(exact).max()


def test_weights_of_attention_are_shares_of_what_came_before():
    model = network("gpt", 5, position="rotary", **SIZE)
    variables = jax.jit(model.init)(jax.random.key(0), TOKEN)
    weights = attention_weights(model, variables, jnp.asarray(TOKEN[0]))
    assert weights.shape == (2, 2, 9, 9)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(np.triu(weights, 1), 0)


@pytest.mark.parametrize("kind", typing.get_args(Kind))
def test_layers_know_nothing_of_what_comes_later(kind):
    """By the gradient: of the fourth place none goes to the fifth, and some to the first."""
    layers = causal_layers(kind, num_layers=2, width=8, num_heads=2)
    x = jax.random.normal(jax.random.key(0), (2, 6, 8))
    variables = jax.jit(layers.init)(jax.random.key(1), x)
    slope = jax.jit(jax.grad(lambda x: (layers.apply(variables, x)[0][:, 3] ** 2).sum()))(x)
    assert (slope[:, 4:] == 0).all() and (slope[:, 0] != 0).any()


def test_memory_is_where_a_state_has_faded_to_one_in_e():
    """Of an LSTM whose gates see nothing, and of the slowest of many linear states."""
    variables = causal_layers("lstm", num_layers=1, width=3, memory=50).init(jax.random.key(0), jnp.zeros((1, 1, 2)))
    keep = variables["params"]["Recurrent_0"]["input"]["bias"][3]
    np.testing.assert_allclose(jax.nn.sigmoid(keep) ** 50, np.exp(-1), rtol=1e-5)
    layers = causal_layers("lru", num_layers=1, width=2000, memory=50)
    shapes = jax.eval_shape(layers.init, jax.random.key(0), jnp.zeros((1, 1, 2000)))
    assert shapes["params"]["LRU_0"]["log_rate"].shape == (2000,)
    lru = layers.layer(parent=None)
    slowest = jnp.exp(-jnp.exp(lru._rates(jax.random.key(0), (2000,)))).max()
    np.testing.assert_allclose(slowest**50, np.exp(-1), rtol=0.05)
