"""Texts by class: windows are PyTorch's convolutions, hidden words are BERT's shares, folds are kept apart."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from adl.core import handing_over
from adl.core.lift import Phases
from adl.data.word_counts import naive_bayes
from adl.sequence.hidden_words import known_first, masked
from adl.sequence.text_classifier import Windows, text_classifier, text_network, without_folds
from tests.sequence.cases import classified, tells_classes, tells_words


def test_windows_are_pytorch_s_convolutions():
    x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("f")
    out, variables = Windows(5, (2, 3, 4)).init_with_output(jax.random.key(0), x)
    parts = []
    for width in (2, 3, 4):
        weights = variables["params"][f"width_{width}"]
        wide = np.pad(x, ((0, 0), ((width - 1) // 2, width // 2), (0, 0))).swapaxes(1, 2)
        kernel = np.asarray(weights["kernel"]).reshape(width, 3, 5).transpose(2, 1, 0)
        told = torch.conv1d(torch.tensor(wide), torch.tensor(kernel), torch.tensor(np.asarray(weights["bias"])))
        parts.append(torch.relu(told).numpy().swapaxes(1, 2))
    np.testing.assert_allclose(out[0], np.concatenate(parts, -1), atol=1e-5)


def test_what_stands_behind_the_end_changes_nothing():
    layers = Windows(4)
    x = np.random.default_rng(0).normal(size=(1, 6, 4)).astype("f")
    variables = layers.init(jax.random.key(0), x[:, :4])
    alone = layers.apply(variables, x[:, :4])[0]
    np.testing.assert_allclose(layers.apply(variables, x, length=np.array([4]))[0][:, :4], alone, atol=1e-6)


def test_of_the_words_as_many_are_hidden_as_bert_hides():
    """15 % of each text; of these 80 % hidden, 10 % others, 10 % as they are; never behind the end."""
    length = np.arange(2000) % 33 + 8
    token = np.where(np.arange(40)[None] < length[:, None], 1 + np.arange(40) % 7, -1)
    seen, place, weight = masked(jax.random.key(0), jnp.asarray(token), vocab_size=50, hidden=60, rate=0.15)
    assert (np.abs(weight.sum(1) - 0.15 * length) < 0.501).all()
    assert (length[:, None] > np.asarray(place))[np.asarray(weight) > 0].all()
    there = np.take_along_axis(np.asarray(seen), np.asarray(place), 1)[np.asarray(weight) > 0]
    right = np.take_along_axis(token, np.asarray(place), 1)[np.asarray(weight) > 0]
    assert abs((there == 60).mean() - 0.8) < 0.02  # 2.5 standard errors of 5,800 words
    assert abs((there == right).mean() - 0.102) < 0.012
    kept = np.ones_like(token, bool)
    np.put_along_axis(kept, np.asarray(place), np.asarray(weight) == 0, 1)
    np.testing.assert_array_equal(np.asarray(seen)[kept], token[kept])


def test_what_was_learned_first_is_handed_over():
    """Words and layers, not what tells classes."""
    algorithm = handing_over(tells_words(None), tells_classes(None), known_first, (1, 3))
    state = algorithm.init(jax.random.key(0), classified(0))
    for step in range(2):
        state, _ = jax.jit(algorithm.step)(jax.random.key(step), state, classified(step))
    assert isinstance(state, Phases)
    first, learner = state.state
    for name in ("tokens", "layers"):
        jax.tree.map(np.testing.assert_array_equal, first.params[name], learner.params[name])


def test_each_learns_from_what_is_not_in_its_fold():
    """As if there were no other rows."""
    model, tx = text_network("bag", 6, 2, width=3, features=2), optax.sgd(0.1)
    alg = text_classifier(model, tx)
    batch = {**classified(0), "fold": np.arange(16) % 2}
    folds = without_folds((0, 1))(alg)
    key = jax.random.key(0)
    state = folds.init(key, batch)
    after, metrics = folds.step(key, state, batch)
    assert metrics["loss"].count == batch["mask"].sum()
    for fold in (0, 1):
        rows = batch["fold"] != fold
        before = jax.tree.map(operator.itemgetter(fold), state)
        own, _ = alg.step(key, before, {name: x[rows] for name, x in batch.items()})
        got = jax.tree.map(operator.itemgetter(fold), after.params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), own.params, got)


def test_counts_tell_what_words_alone_can():
    texts = ["good film", "good plot", "bad film", "bad plot"] * 3
    label = np.array([1, 1, 0, 0] * 3)
    assert naive_bayes(texts, label, ["good cast", "bad cast"]).argmax(1).tolist() == [1, 0]
