"""The transformer equals PyTorch's with the same weights, and is as large as GPT-2."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from adl.core import tree
from adl.nn.attention import MultiHeadAttention, causal
from adl.nn.transformer import GPT, Block

KEY = jax.random.key(0)
X = np.asarray(jax.random.normal(KEY, (2, 7, 16)))
Y = np.asarray(jax.random.normal(jax.random.key(1), (2, 5, 16)))


def test_attention_is_the_definition():
    """With all three projections the identity, by loops over heads and positions."""
    model = MultiHeadAttention(2)
    eye = {name: {"kernel": jnp.eye(16), "bias": jnp.zeros(16)} for name in ("query", "key", "value", "out")}
    want = np.zeros_like(X)
    for b in range(2):
        for t in range(7):
            for head in (slice(0, 8), slice(8, 16)):
                weights = np.exp(X[b, t, head] @ X[b, : t + 1, head].T / np.sqrt(8))
                want[b, t, head] = weights @ X[b, : t + 1, head] / weights.sum()
    got, seen = model.apply({"params": eye}, X, mask=causal(7), mutable=["intermediates"])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    weights = seen["intermediates"]["weights"][0]
    np.testing.assert_allclose(weights[1, 1] @ X[1, :, 8:], want[1, :, 8:], rtol=1e-5, atol=1e-5)


def randomly(model, *arguments):
    params = model.init(KEY, *arguments)["params"]
    keys = iter(jax.random.split(jax.random.key(2), 100))
    return jax.tree.map(lambda leaf: 0.3 * jax.random.normal(next(keys), leaf.shape), params)


@pytest.mark.parametrize("y", [None, Y], ids=["self", "cross"])
def test_attention_is_pytorch_s(y):
    model = MultiHeadAttention(4)
    params = randomly(model, X, y)
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    _copy_attention(theirs, params)
    other = torch.tensor(X if y is None else y)
    want = theirs(torch.tensor(X), other, other)[0].detach().numpy()
    np.testing.assert_allclose(model.apply({"params": params}, X, y), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", ["pre", "post"])
def test_block_is_pytorch_s(order):
    block = Block(4, order=order)
    params = randomly(block, X)
    gelu = functools.partial(torch.nn.functional.gelu, approximate="tanh")
    theirs = torch.nn.TransformerEncoderLayer(16, 4, 64, 0.0, gelu, batch_first=True, norm_first=order == "pre")
    _copy_attention(theirs.self_attn, params["MultiHeadAttention_0"])
    for ours, layer in (("Dense_0", theirs.linear1), ("Dense_1", theirs.linear2)):
        _copy(layer.weight, params["MLP_0"][ours]["kernel"].T)
        _copy(layer.bias, params["MLP_0"][ours]["bias"])
    for ours, layer in (("LayerNorm_0", theirs.norm1), ("LayerNorm_1", theirs.norm2)):
        _copy(layer.weight, params[ours]["scale"])
        _copy(layer.bias, params[ours]["bias"])
    mask = torch.tensor(~np.asarray(causal(7)))
    want = theirs(torch.tensor(X), src_mask=mask).detach().numpy()
    got = block.apply({"params": params}, X, mask=causal(7))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def _copy(parameter, values):
    parameter.data = torch.tensor(np.array(values))


def _copy_attention(theirs, params):
    names = ("query", "key", "value")
    _copy(theirs.in_proj_weight, np.concatenate([params[name]["kernel"].T for name in names]))
    _copy(theirs.in_proj_bias, np.concatenate([params[name]["bias"] for name in names]))
    _copy(theirs.out_proj.weight, params["out"]["kernel"].T)
    _copy(theirs.out_proj.bias, params["out"]["bias"])


SMALL = GPT(vocab_size=11, max_length=8, num_layers=2, num_heads=2, width=8)


def test_gpt_2_has_124_million_parameters():
    shapes = jax.eval_shape(GPT().init, KEY, jnp.zeros((1, 4), jnp.int32))
    assert tree.count(shapes) == 124_439_808  # as published for "gpt2"


def test_dropout_acts_only_with_a_key():
    model = SMALL.clone(dropout=0.5)
    token = jnp.arange(8)[None]
    params = {"params": randomly(model, token)}
    still, drawn = model.apply(params, token), model.apply(params, token, rngs={"dropout": KEY})
    np.testing.assert_array_equal(still, SMALL.apply(params, token))
    assert np.abs(still - drawn).max() > 1e-3


def test_a_cache_is_no_longer_than_it_is():
    """What is too long is refused when it is traced; a row that runs out of slots says nan."""
    model, token = GPT(7, 6, 1, 2, 8), jnp.ones((2, 3), jnp.int32)
    params = model.init(KEY, token)
    for length, message in ((7, "a cache of 7 tokens, where the longest text has 6"), (2, "dimension")):
        with pytest.raises(AssertionError, match=message):
            model.apply(params, token, cache=model.empty_cache(2, length))
    foreign = GPT(7, 8, 1, 2, 8).empty_cache(2)
    with pytest.raises(AssertionError, match="a cache of 8 tokens, where the longest text has 6"):
        model.apply(params, token, cache=foreign)
    logits, cache = model.apply(params, token, cache=model.empty_cache(2, 5))
    assert np.isfinite(logits).all()
    logits, cache = model.apply(params, token, mask=jnp.array([[True] * 3, [True, False, False]]), cache=cache)
    np.testing.assert_array_equal(np.isnan(logits).any(-1)[0], [False, False, True])
    assert np.isfinite(logits[1, 0]).all()
