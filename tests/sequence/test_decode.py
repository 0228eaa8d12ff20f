"""Decoding is Hugging Face's, token for token; a cache changes nothing; padding says nothing; a stop ends a text."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import chisquare
from transformers import TopKLogitsWarper, TopPLogitsWarper

from adl.core import BadInput
from adl.nn.recurrence import Layers, Mamba
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT
from adl.sequence.beam import beam_search
from adl.sequence.decode import drawn, generate, greedy, in_turn, nucleus, prefill, reading, temperature, top_k
from adl.sequence.speculative import speculative

KEY = jax.random.key(0)
LOGITS = np.asarray(3 * jax.random.normal(KEY, (6, 11)))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(top_k(k), TopKLogitsWarper(k)) for k in (1, 4, 11, 20)]
    + [(nucleus(p), TopPLogitsWarper(p)) for p in (0.0, 0.3, 0.9, 1.0)],
)
def test_adjustments_are_theirs(ours, theirs):
    want = theirs(None, torch.tensor(LOGITS)).numpy()
    np.testing.assert_array_equal(ours(LOGITS), want)
    np.testing.assert_array_equal(jax.vmap(ours)(LOGITS), want)


def test_tokens_that_are_equally_likely_stay_together():
    tied = jnp.array([2.0, 1.0, 1.0, 0.0])
    for adjust in (top_k(2), nucleus(0.7)):
        np.testing.assert_array_equal(jnp.isfinite(adjust(tied)), [True, True, True, False])


@pytest.mark.parametrize("side", ["left", "right"])
def test_greedy_texts_are_theirs(gpt2, side):
    """Of ragged prompts, until they stop; wherever the padding is."""
    want, (token, mask) = gpt2.theirs(), (gpt2.token, gpt2.mask)
    if side == "right":
        order = np.argsort(~mask, axis=1, kind="stable")
        token, mask = (np.take_along_axis(x, order, 1) for x in (token, mask))
    decode = jax.jit(lambda: generate(KEY, gpt2.read, gpt2.cache, token, mask=mask, **gpt2.given))
    got = decode()
    np.testing.assert_array_equal(got.token, want)
    stops = np.isin(want, gpt2.given["stop"])
    np.testing.assert_array_equal(got.length, np.where(stops.any(1), stops.argmax(1) + 1, want.shape[1]))
    assert len(set(np.asarray(got.length))) > 2  # rows end at different times


MODELS = {
    "gpt": GPT(11, 16, 2, 2, 8),
    "gpt, rotary": GPT(11, 16, 2, 2, 8, position="rotary", num_kv_heads=1),
    "lstm": TokenModel(11, 8, Recurrents(lstm, (8, 8))),
    "mamba": TokenModel(11, 8, Layers(functools.partial(Mamba, 4), 1)),
}


@pytest.mark.parametrize("name", MODELS)
def test_logits_with_a_cache_are_those_without(name):
    """Along greedy texts, from prompts that are padded left and right."""
    model = MODELS[name]
    token = np.random.default_rng(0).integers(0, 11, (4, 5))
    mask = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]], bool)
    shapes = jax.eval_shape(model.init, KEY, token)
    keys = iter(jax.random.split(KEY, 100))
    variables = jax.tree.map(lambda leaf: 0.4 * jax.random.normal(next(keys), leaf.shape), shapes)
    read = reading(model, variables)

    @jax.jit
    def decode():
        cache = model.empty_cache(4, 5 + 6 - 1)
        texts = generate(KEY, read, cache, token, 6, mask=mask)
        last, cache = prefill(read, cache, jnp.asarray(token), mask)
        seen = []
        for told in (last, *texts.token.T[:-1]):
            logits, cache = read(told[:, None], cache)
            seen.append(logits[:, 0])
        return texts.token, jnp.stack(seen, 1)

    tokens, got = decode()
    plain = jax.jit(model.apply)
    for row in range(4):
        whole = np.concatenate([token[row][mask[row]], tokens[row]])
        padded = np.concatenate([whole, np.zeros(11 - len(whole), int)])  # one shape for all: models are causal
        want = plain(variables, padded[None])[0, len(whole) - 7 : len(whole) - 1]
        np.testing.assert_allclose(got[row], want, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(want.argmax(-1), tokens[row])


TABLE = np.asarray(jax.random.normal(jax.random.key(1), (7, 7)))  # log-odds of each token by the one before


def bigram(token, carry, mask=None):
    return jnp.asarray(TABLE)[token], carry


@pytest.mark.parametrize(
    "adjusts",
    [(), (temperature(0.5),), (top_k(3),), (nucleus(0.7),), (temperature(2.0), top_k(4))],
    ids=["plain", "temperature", "top k", "nucleus", "both"],
)
def test_texts_are_drawn_from_the_adjusted_model(adjusts):
    """Two tokens, by the product of their probabilities; keys in one program, each as it would be alone."""
    prompt = np.array([[2], [5]])

    def decode(key):
        return generate(key, bigram, (), prompt, 2, choose=drawn(*adjusts)).token

    keys = jax.random.split(KEY, 4000)
    texts = np.asarray(jax.jit(jax.vmap(decode))(keys))
    np.testing.assert_array_equal(texts[7], decode(keys[7]))
    step = softmax(np.asarray(in_turn(*adjusts)(TABLE), np.float64), -1)
    for row, first in enumerate((2, 5)):
        want = 4000 * (step[first][:, None] * step).reshape(-1)
        counts = np.bincount(texts[:, row] @ [7, 1], minlength=49)
        possible = want > 0
        assert not counts[~possible].any()
        assert chisquare(counts[possible], want[possible]).pvalue > 1e-3


def test_reading_ends_with_the_last_text():
    """Token t is followed by t + 1, and 5 stops: the longer text needs three calls, and no more are made."""
    calls = []

    def read(token, carry):
        calls.append(token.shape)
        return jax.nn.one_hot(token + 1, 7), carry

    with jax.disable_jit():
        texts = generate(KEY, read, (), np.array([[0, 2], [1, 4]]), 100, choose=greedy, stop=(5,), pad=6)
    np.testing.assert_array_equal(texts.token[:, :4], [[3, 4, 5, 6], [5, 6, 6, 6]])
    np.testing.assert_array_equal(texts.length, [3, 1])
    assert (texts.token[:, 3:] == 6).all()
    assert calls == [(2, 1)] * 4  # the prompts, and three tokens


ROOM = GPT(11, 64, 1, 2, 8)


@pytest.mark.parametrize(
    "decode",
    [
        lambda read, cache, prompt, n: generate(KEY, read, cache, prompt, n),
        lambda read, cache, prompt, n: generate(KEY, read, {"own": cache}, prompt, n),
        lambda read, cache, prompt, n: beam_search(read, cache, prompt, n, num_beams=2),
        lambda read, cache, prompt, n: speculative(KEY, read, cache, read, cache, prompt, n),
        lambda read, cache, prompt, n: speculative(KEY, read, ROOM.empty_cache(2), read, cache, prompt, n),
    ],
    ids=["generate", "within a carry", "beam search", "speculative", "of the small model"],
)
def test_too_short_a_cache_is_refused_before_anything_is_computed(decode):
    def read(token, cache, mask=None):
        raise AssertionError("nothing is read")

    prompt = np.ones((2, 20), np.int32)
    for room in (8, 30, 34):
        with pytest.raises(BadInput, match=f"a cache with room for {room} tokens, .* 20 and 16 new tokens need 35"):
            decode(read, ROOM.empty_cache(2, room), prompt, 16)
    with pytest.raises(AssertionError, match="nothing is read"):
        decode(read, ROOM.empty_cache(2, 35), prompt, 16)
    with pytest.raises(BadInput, match="prompts of 20 tokens and 0 new ones"):
        decode(read, ROOM.empty_cache(2, 35), prompt, 0)
    with pytest.raises(BadInput, match="prompts of 0 tokens"):
        decode(read, ROOM.empty_cache(2, 35), prompt[:, :0], 3)
    with pytest.raises(BadInput, match="a cache of 2 rows for 3 prompts"):
        decode(read, ROOM.empty_cache(2, 35), np.ones((3, 20), np.int32), 16)


def test_adjustments_at_the_ends_of_their_ranges():
    logits = jnp.array([3.0, 2.0, -200.0, -jnp.inf])
    np.testing.assert_array_equal(nucleus(1.0)(logits), logits)
    np.testing.assert_array_equal(jnp.isfinite(nucleus(0.0)(logits)), [True, False, False, False])
    for cold in (1e-3, 1e-30, 1e-38):
        np.testing.assert_array_equal(jax.nn.softmax(temperature(cold)(logits)), [1, 0, 0, 0])
    np.testing.assert_allclose(jax.nn.softmax(temperature(1e30)(logits)), [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)
    sure = jnp.array([jnp.inf, 0.0, -jnp.inf])
    for adjust in (temperature(0.5), nucleus(0.5), top_k(1)):
        assert (jax.vmap(drawn(adjust), (0, None))(jax.random.split(KEY, 20), sure) == 0).all()
    for make, wrong in ((temperature, 0.0), (temperature, -1), (temperature, float("nan")), (nucleus, 1.1), (top_k, 0)):
        with pytest.raises(BadInput, match=str(wrong)):
            make(wrong)
