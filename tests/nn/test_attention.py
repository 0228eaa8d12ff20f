"""Attention: groups share what they should, positions are relative, and a cache changes nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from adl.nn import embed
from adl.nn.attention import MultiHeadAttention, causal, visible
from adl.nn.encoder import BERT
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.mlp import GatedMLP
from adl.nn.transformer import GPT, rms_norm, swiglu

KEY = jax.random.key(0)
X = np.asarray(jax.random.normal(KEY, (2, 7, 16)))


def randomly(model, *arguments, scale=0.3):
    params = jax.eval_shape(model.init, KEY, *arguments)["params"]
    keys = iter(jax.random.split(jax.random.key(2), 200))
    return jax.tree.map(lambda leaf: scale * jax.random.normal(next(keys), leaf.shape), params)


def test_groups_of_heads_share_keys_and_values():
    """As PyTorch's grouped-query attention between the same projections."""
    model = MultiHeadAttention(4, num_kv_heads=2, use_bias=False)
    params = randomly(model, X)
    assert params["key"]["kernel"].shape == params["value"]["kernel"].shape == (16, 8)

    def heads(name, number):
        return torch.tensor(np.array(X @ params[name]["kernel"])).reshape(2, 7, number, 4).transpose(1, 2)

    attended = torch.nn.functional.scaled_dot_product_attention(
        heads("query", 4), heads("key", 2), heads("value", 2), is_causal=True, enable_gqa=True
    )
    want = attended.transpose(1, 2).reshape(2, 7, 16).numpy() @ params["out"]["kernel"]
    got = model.apply({"params": params}, X, mask=causal(7))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_a_window_hides_what_is_far():
    want = [[0 <= t - s < 3 for s in range(6)] for t in range(6)]
    np.testing.assert_array_equal(causal(6, 3), want)
    np.testing.assert_array_equal(visible(jnp.array([[4], [2]]), jnp.arange(6)[None], 3)[:, 0], [want[4], want[2]])


def test_rotary_products_depend_on_the_distance_alone():
    query, key = np.asarray(jax.random.normal(KEY, (2, 1, 8)))
    turned = [embed.rotary(x.repeat(9, 0), jnp.arange(9)) for x in (query, key)]
    products = np.asarray(turned[0] @ turned[1].T)
    for distance in range(-8, 9):
        np.testing.assert_allclose(np.diag(products, distance), products.diagonal(distance)[0], rtol=1e-4, atol=1e-5)
    assert np.ptp(products[0]) > 0.1  # and they do depend on it
    np.testing.assert_allclose(np.linalg.norm(turned[0], axis=-1), np.linalg.norm(query), rtol=1e-5)


def test_biases_by_distance_are_bloom_s():
    """For each of its numbers of heads; BLOOM's differ by a constant in each row, which softmax does not see."""
    for num_heads in (1, 4, 6, 12):
        bias = build_alibi_tensor(torch.ones(1, 7), num_heads, torch.float32).reshape(num_heads, 1, 7)
        mine = embed.alibi(jnp.arange(7), jnp.arange(7), num_heads)
        shifted = mine - mine[..., :1]
        np.testing.assert_allclose(shifted, np.broadcast_to(bias, shifted.shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["silu", "sigmoid"])
def test_a_gated_perceptron_is_the_definition(activation):
    model = GatedMLP(12, 5, getattr(jax.nn, activation))
    params = randomly(model, X)
    up, gate, down = (torch.tensor(np.array(params[name]["kernel"])) for name in ("up", "gate", "down"))
    x = torch.tensor(X)
    want = (getattr(torch.nn.functional, activation)(x @ gate) * (x @ up)) @ down
    np.testing.assert_allclose(model.apply({"params": params}, X), want, rtol=1e-4, atol=1e-5)


SMALL = functools.partial(GPT, vocab_size=11, max_length=12, num_layers=2, num_heads=4, width=16)
MODELS = {
    "learned": SMALL(),
    "sinusoidal, post": SMALL(position="sinusoidal", order="post"),
    "rotary, groups, window": SMALL(
        position="rotary", num_kv_heads=2, window=4, use_bias=False, feedforward=swiglu, norm=rms_norm
    ),
    "alibi, one key": SMALL(position="alibi", num_kv_heads=1),
}
TOKEN = np.random.default_rng(0).integers(0, 11, (3, 10))
NEAR = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(params=MODELS, scope="module")
def fitted(request):
    """A model, compiled, and its logits of whole texts."""
    model = MODELS[request.param]
    variables = {"params": randomly(model, TOKEN)}

    @jax.jit
    def apply(token, mask=None, cache=None):
        return model.apply(variables, token, mask=mask, cache=cache)

    return model, apply, apply(TOKEN)


def test_a_cache_changes_nothing(fitted):
    """Prefill, single tokens and chunks."""
    model, apply, want = fitted
    cache, found = model.empty_cache(3, 11), []
    for start, stop in ((0, 4), (4, 5), (5, 6), (6, 10)):
        logits, cache = apply(TOKEN[:, start:stop], cache=cache)
        found.append(logits)
    np.testing.assert_allclose(np.concatenate(found, 1), want, **NEAR)
    np.testing.assert_array_equal(cache.length, 10)


@pytest.mark.parametrize("side", ["left", "right"])
def test_ragged_rows_are_as_if_alone(fitted, side):
    model, apply, want = fitted
    lengths = np.array([4, 2, 3])
    place = np.arange(4)[None] - (4 - lengths[:, None] if side == "left" else 0)
    mask = (place >= 0) & (place < lengths[:, None])
    prompt = np.where(mask, np.take_along_axis(TOKEN, place.clip(0), 1), 7)
    rows = np.arange(3)
    alone, (cached, cache) = apply(prompt, mask), apply(prompt, mask, model.empty_cache(3, 11))
    for row, real in enumerate(mask):
        for logits in (alone, cached):
            np.testing.assert_allclose(logits[row, real], want[row, : lengths[row]], **NEAR)
    for _ in range(3):
        logits, cache = apply(TOKEN[rows, cache.length][:, None], cache=cache)
        np.testing.assert_allclose(logits[:, 0], want[rows, cache.length - 1], **NEAR)
    np.testing.assert_array_equal(cache.length, lengths + 3)


def test_tokens_are_taken_back_by_the_length(fitted):
    """As speculative decoding does with what it rejects."""
    model, apply, want = fitted
    _, cache = apply(TOKEN[:, :4], cache=model.empty_cache(3, 11))
    logits, cache = apply(TOKEN[:, 4:5], cache=apply(TOKEN[:, :1], cache=cache)[1]._replace(length=cache.length))
    np.testing.assert_allclose(logits[:, 0], want[:, 4], **NEAR)


@pytest.mark.parametrize("name", MODELS)
def test_a_cache_keeps_its_shapes_in_few_bits(name):
    """So that it can be carried through a loop; parameters and logits keep all bits."""
    model = MODELS[name].clone(dtype=jnp.bfloat16)
    variables, before = jax.eval_shape(model.init, KEY, TOKEN), jax.eval_shape(lambda: model.empty_cache(3, 12))
    mask = np.ones(TOKEN.shape, bool)
    logits, after = jax.eval_shape(lambda v, c: model.apply(v, TOKEN, mask=mask, cache=c), variables, before)
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, logits))} == {jnp.dtype("float32")}
    assert jax.tree.map(lambda x: (x.shape, x.dtype), before) == jax.tree.map(lambda x: (x.shape, x.dtype), after)


def test_a_cache_longer_than_the_longest_text_is_refused():
    with pytest.raises(AssertionError, match="13 tokens"):
        SMALL().empty_cache(1, 13)


def test_who_sees_nothing_gathers_nothing():
    """Not the mean of what it must not see; nor does it move what it did not see."""
    model, x = MultiHeadAttention(2), jax.random.normal(jax.random.key(0), (3, 4, 8))
    params = model.init(jax.random.key(1), x)["params"]
    mask = jnp.ones((3, 1, 4, 4), bool).at[1].set(False).at[2, :, 2].set(False)

    def out(params, x):
        return model.apply({"params": params}, x, mask=mask)

    got, plain = out(params, x), model.apply({"params": params}, x)
    bias = jnp.broadcast_to(params["out"]["bias"], (4, 8))
    np.testing.assert_array_equal(got[1], bias)
    np.testing.assert_array_equal(got[2, 2], bias[0])
    np.testing.assert_allclose(got[2, 1], plain[2, 1], rtol=1e-5, atol=1e-6)
    slopes = jax.grad(lambda params, x: out(params, x)[1].sum(), (0, 1))(params, x)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(slopes[1]))
    for name in ("query", "key", "value"):
        assert all((leaf == 0).all() for leaf in jax.tree.leaves(slopes[0][name]))


def test_texts_of_padding_alone():
    """In BERT, and as the source of an encoder-decoder: finite, and the same whatever the padding is."""
    token, mask = jnp.array([[1, 2, 3], [4, 5, 6]]), jnp.array([[True] * 3, [False] * 3])
    other = token.at[1].set(7)
    bert = BERT(9, 4, 1, 2, 8, 16)
    params = bert.init(jax.random.key(0), token)
    assert np.isfinite(bert.apply(params, token, mask=mask)).all()
    both = EncoderDecoder(9, 1, 2, 8, position="relative")
    params = both.init(jax.random.key(0), token, token)
    got, want = (both.apply(params, source, token, source_mask=mask) for source in (token, other))
    np.testing.assert_array_equal(got, want)
