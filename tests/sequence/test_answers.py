"""Answers are those of greedy decoding, and are judged as one would by hand."""

import jax
import numpy as np
import pytest

from adl.core import Learner
from adl.data import algorithmic
from adl.sequence import answers
from adl.sequence.causal import network

V, KEY = len(algorithmic.ALPHABET), jax.random.key(0)
HELD = algorithmic.held_out("reverse", 3, reach=2, count=7)
ROOM = HELD.test.arrays["mask"].shape[1]
MODELS = {kind: network(kind, V, num_layers=1, width=8, length=ROOM, num_heads=2) for kind in ("gpt", "lstm")}


def sharp(model, seed):
    """A state with parameters so large that tokens matter."""
    params = jax.jit(model.init)(jax.random.key(seed), np.zeros((1, 3), int))["params"]
    return Learner(jax.tree.map(lambda p: 6 * p if p.ndim > 1 else p, params), (), {})


STATE = {kind: sharp(model, seed) for seed, (kind, model) in enumerate(MODELS.items())}


@pytest.mark.parametrize("kind", [pytest.param(x, marks=pytest.mark.full if x == "gpt" else ()) for x in MODELS])
def test_what_is_said_is_the_likeliest_each_time(kind):
    columns = HELD.examples.arrays
    token, mask = columns["token"], columns["mask"]
    got = np.asarray(answers.said(MODELS, HELD.examples)(KEY, STATE)[kind])
    want = token.copy()
    for row, told in enumerate(mask > 0):
        for place in np.flatnonzero(told):
            logits = MODELS[kind].apply(STATE[kind].variables, want[None, row, : place + 1])[0, -1]
            want[row, place + 1] = np.argmax(logits)
    np.testing.assert_array_equal(got, want)
    assert (want != token).any()


def test_judged_as_by_hand(monkeypatch):
    """In batches that do not divide the questions; of a model that is right about some, all of it or a part."""
    monkeypatch.setattr(answers, "AT_ONCE", 5)
    columns = HELD.test.arrays
    token, mask, length = columns["token"], columns["mask"] > 0, columns["length"]
    found = jax.jit(answers.judged(MODELS, HELD.test, longest=3))(KEY, STATE)
    for kind, model in MODELS.items():
        logits = np.asarray(model.apply(STATE[kind].variables, token[:, :-1]), float)
        hit = logits.argmax(-1) == token[:, 1:]
        right = np.array([row[own].all() for row, own in zip(hit, mask, strict=True)])
        np.testing.assert_array_equal(found[f"{kind}_right"], right)
        tokens = [row[own].mean() for row, own in zip(hit, mask, strict=True)]
        np.testing.assert_allclose(found[f"{kind}_tokens"], tokens, rtol=1e-6)
        np.testing.assert_allclose(found[f"{kind}_exact"].value, right[length <= 3].mean())
        np.testing.assert_allclose(found[f"{kind}_longer"].value, right[length > 3].mean())
        shifted = logits - logits.max(-1, keepdims=True)
        log_prob = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        nats = -np.take_along_axis(log_prob, token[:, 1:, None], -1)[..., 0]
        np.testing.assert_allclose(found[f"{kind}_loss"].value, nats[mask].mean(), rtol=1e-4)
    known = answers.known(MODELS, HELD.test, longest=3)(KEY, STATE)
    assert set(known) == {"gpt_exact", "gpt_loss", "lstm_exact", "lstm_loss"}
    np.testing.assert_allclose(known["gpt_loss"].value, found["gpt_loss"].value, rtol=1e-5)


def test_exact_is_what_is_said():
    """Judged in one pass after right beginnings, and token by token by itself: whole answers are right alike."""
    token, mask = HELD.examples.arrays["token"].copy(), HELD.examples.arrays["mask"]
    said = answers.said(MODELS, HELD.examples)(KEY, STATE)
    half = np.arange(len(token)) % 2 == 0
    token[half] = np.asarray(said["lstm"])[half]  # these are right by what it says itself
    questions = type(HELD.examples)({**HELD.examples.arrays, "token": token})
    found = answers.judged({"lstm": MODELS["lstm"]}, questions, longest=3)(KEY, STATE)
    want = [
        (row[1:] == own[1:])[m > 0].all() for row, own, m in zip(np.asarray(said["lstm"]), token, mask, strict=True)
    ]
    np.testing.assert_array_equal(found["lstm_right"], want)
    assert 0 < np.mean(want) < 1
