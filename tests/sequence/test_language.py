"""A language model's loss is the surprise at each next token, and it learns a text that has a rule."""

import functools

import jax
import numpy as np
import optax
import pytest
from scipy.special import log_softmax

from adl import data
from adl.core import jitted
from adl.nn.experts import Experts
from adl.nn.recurrent import Recurrents, gru
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT
from adl.sequence.language import (
    exact_match,
    language_model,
    log_probs_after,
    sliding,
    surprise_after,
    truncated_bptt,
    whole_text,
)

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


def test_what_weighs_nothing_does_not_count():
    """A step on rows that are right up to padding is the same, whatever the padding is."""
    algorithm = jitted(language_model(MODEL, optax.sgd(0.1)))
    token, weight = np.random.default_rng(0).integers(0, 7, (4, 13)), np.ones((4, 12), np.float32)
    weight[:, 8:], weight[:2, :3] = 0, 0
    other = np.where(np.arange(13)[None] < 9, token, 0)
    steps = []
    for tokens in (token, other):
        learner = algorithm.init(jax.random.key(0), {"token": tokens})
        steps.append(algorithm.step(jax.random.key(1), learner, {"token": tokens, "mask": weight}))
    (first, metrics), (second, _) = steps
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-7), first.params, second.params)
    learner = algorithm.init(jax.random.key(0), {"token": token})
    logits = np.asarray(MODEL.apply(learner.variables, token[:, :-1]), np.float64)
    nats = -np.take_along_axis(log_softmax(logits, -1), token[:, 1:, None], -1)[..., 0]
    assert metrics["loss"].count == weight.sum() == 26
    np.testing.assert_allclose(metrics["loss"].total, nats[weight > 0].sum(), rtol=1e-5)


def test_a_match_is_exact_where_greedy_decoding_says_the_same():
    learner = language_model(MODEL, optax.sgd(0.0)).init(jax.random.key(4), {"token": COUNTING})
    logits = jax.jit(functools.partial(MODEL.apply, learner.variables))
    generator = np.random.default_rng(2)
    greedy = generator.integers(0, 7, (64, 13))
    for place in range(4, 9):  # the answer, which goes on from what it said
        greedy[:, place] = logits(greedy[:, :-1])[:, place - 1].argmax(-1)
    told = greedy.copy()
    wrong = generator.random((64, 13)) < 0.1
    told[wrong] = (told[wrong] + 1) % 7
    told[:, :4] = greedy[:, :4]
    weight = np.zeros((64, 12), np.float32)
    weight[:, 3:8] = 1
    want = (told[:, 4:9] == greedy[:, 4:9]).all(1)
    assert 10 < want.sum() < 60
    np.testing.assert_array_equal(exact_match(logits(told[:, :-1]), told[:, 1:], weight), want)


def test_texts_are_judged_after_their_prompts():
    learner = language_model(MODEL, optax.sgd(0.0)).init(jax.random.key(4), {"token": COUNTING})
    whole = np.random.default_rng(0).integers(0, 7, (5, 9))
    prompt, text = whole[:, :3], whole[:, 3:]
    want = log_softmax(np.asarray(MODEL.apply(learner.variables, whole), np.float64), -1)[:, 2:-1]
    got = log_probs_after(MODEL, learner.variables, prompt, text)
    np.testing.assert_allclose(got, want, atol=1e-5)
    nats = -np.take_along_axis(want, text[..., None], -1).mean((1, 2))
    np.testing.assert_allclose(surprise_after(MODEL, learner.variables, prompt, text), nats, rtol=1e-5)


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


TEXT = np.random.default_rng(1).integers(0, 7, 101)
REMEMBERS = TokenModel(7, 8, Recurrents(gru, (8,)))
MEMORY = jax.jit(REMEMBERS.init)(jax.random.key(2), TEXT[None])


def unigram(token, carry):
    """Log-odds that grow with the token seen, by one for the next."""
    return jax.nn.one_hot((token + 1) % 7, 7), carry


def test_a_whole_text_counts_every_token_once_in_nats_a_character():
    size = np.arange(1.0, 8, dtype=np.float32)
    texts = data.padded(data.text.windows(TEXT, 6, start=3), 5)
    seen = whole_text(lambda state: (unigram, ()), texts, size=size)(jax.random.key(0), ())
    previous = np.concatenate([[3], TEXT[:-1]])
    log_prob = log_softmax(np.eye(7)[(previous + 1) % 7], -1)[np.arange(101), TEXT]
    assert seen["loss"].count == size[TEXT].sum() and seen["accuracy"].count == 101
    np.testing.assert_allclose(seen["loss"].value, -log_prob.sum() / size[TEXT].sum(), rtol=1e-5)
    np.testing.assert_allclose(seen["accuracy"].value, (TEXT == (previous + 1) % 7).mean(), rtol=1e-6)


@pytest.mark.parametrize("num_streams", [1, 4])
def test_a_model_that_remembers_reads_a_text_in_pieces_as_in_one(num_streams):
    model = REMEMBERS
    texts = data.text.parallel_streams(TEXT, num_streams, 5, start=0)

    def reader(state):
        return lambda token, carry: model.apply(MEMORY, token, cache=carry), model.empty_cache(num_streams)

    seen = whole_text(reader, texts)(jax.random.key(0), ())
    row = np.concatenate([[0], TEXT])
    length = 5 * -(-101 // (5 * num_streams))  # of a stream
    want = 0
    for begin in range(0, 101, length):
        part = row[begin : begin + length + 1]
        logits = model.apply(MEMORY, part[None, :-1])
        want -= np.take_along_axis(log_softmax(np.asarray(logits[0]), -1), part[1:, None], -1).sum()
    np.testing.assert_allclose(seen["loss"].total, want, rtol=1e-5)


def test_truncated_backpropagation_remembers_but_its_gradient_forgets():
    """The step of a second piece is that of the piece alone, from the memory that the first one left."""
    model, batches = REMEMBERS, data.text.streams(TEXT, 3, 6)
    algorithm = jitted(truncated_bptt(model, optax.sgd(0.5)))
    reader = algorithm.init(jax.random.key(0), batches[0])
    np.testing.assert_array_equal(reader.carry[0][0], np.zeros((3, 8)))
    reader, _ = algorithm.step(jax.random.key(1), reader, batches[0])
    params, carry = jax.tree.map(np.array, (reader.learner.params, reader.carry))
    assert np.abs(carry[0][0]).max() > 0.01

    def loss(params):
        token = batches[1]["token"]
        logits, carried = model.apply({"params": params}, token[:, :-1], cache=carry)
        return optax.losses.softmax_cross_entropy_with_integer_labels(logits, token[:, 1:]).mean(), carried

    (value, carried), grads = jax.value_and_grad(loss, has_aux=True)(params)
    reader, metrics = algorithm.step(jax.random.key(2), reader, batches[1])
    assert set(metrics) == {"loss", "accuracy"}
    np.testing.assert_allclose(metrics["loss"].value, value, rtol=1e-5)
    np.testing.assert_allclose(reader.carry[0][0], carried[0][0], rtol=1e-4, atol=1e-6)
    want = jax.tree.map(lambda p, g: p - 0.5 * g, params, grads)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), reader.learner.params, want)


@pytest.mark.parametrize("together", [1, 3])
def test_sliding_sees_the_last_tokens(together):
    """Token by token or three at once; the second row has two of padding, which it does not see."""
    learner = jax.jit(language_model(MODEL, optax.sgd(0.0)).init)(jax.random.key(0), {"token": COUNTING})
    logits = functools.partial(MODEL.apply, learner.variables)
    read, window = sliding(logits, 2, 4)
    read = jax.jit(read)
    token, got = jax.random.randint(jax.random.key(3), (2, 9), 0, 7), []
    mask = np.arange(9)[None] >= np.array([[0], [2]])
    for t in range(0, 9, together):
        out, window = read(token[:, t : t + together], window, mask=mask[:, t : t + together])
        got.append(out)
    got = np.concatenate(got, 1)
    for t in (0, 2, 3, 5, 8):
        for row, first in ((0, 0), (1, 2)):
            if t >= first:
                want = logits(token[row, None, max(t - 3, first) : t + 1])[0, -1]
                np.testing.assert_allclose(got[row, t], want, rtol=1e-4, atol=1e-5)
