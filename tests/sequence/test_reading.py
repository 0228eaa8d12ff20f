"""Whoever reads in pieces and whoever reads on answer to the same names, and say what their models say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import log_softmax

from adl import data
from adl.core import BadInput
from adl.nn.recurrent import Recurrents, gru
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT
from adl.sequence import reading
from adl.sequence.decode import greedy
from adl.sequence.language import Reader
from adl.sequence.reading import InPieces, OnAndOn, made_up, surprise_along, surprise_at

TOKENS = data.tokens.characters("abcdef")
V = len(TOKENS.vocabulary)
TEXT = np.random.default_rng(0).integers(0, V, 53)
KEY = jax.random.key(0)
PIECES = InPieces(GPT(V, 6, 1, 2, 8), 6)
ON = OnAndOn(TokenModel(V, 8, Recurrents(gru, (8,))), 6)
BOTH = pytest.mark.parametrize("reads", [PIECES, ON], ids=["pieces", "on"])


def learnt(reads):
    """A state after a step, and the batch that it saw."""
    alg, batch = reads.learns(optax.sgd(0.5)), reads.batches(TEXT, 3)[0]
    return alg.step(KEY, alg.init(KEY, batch), batch)[0]


def nats(reads, state, text):
    """At each token, by the model itself: of all before it, or of the window's."""
    row = np.concatenate([[TOKENS.start], text])
    cuts = range(0, len(text), reads.length if reads is PIECES else len(text))
    parts = [row[at : at + (reads.length if reads is PIECES else len(text)) + 1] for at in cuts]
    logits = [np.asarray(reads.model.apply(reads.variables(state), part[None, :-1])[0], float) for part in parts]
    return np.concatenate(
        [-log_softmax(z, -1)[np.arange(len(part) - 1), part[1:]] for z, part in zip(logits, parts, strict=True)]
    )


@BOTH
def test_surprise_is_the_models(reads, monkeypatch):
    state, passage = learnt(reads), TEXT[:17]
    seen = jax.jit(lambda probe, state: probe(KEY, state))(surprise_along(reads, passage, start=TOKENS.start), state)
    np.testing.assert_allclose(seen["nats"], nats(reads, state, passage), rtol=1e-4)
    monkeypatch.setattr(reading, "AT_ONCE", 6)  # one stream: it reads on through all of it
    found = surprise_at(reads, TEXT, TOKENS)(KEY, state)
    np.testing.assert_allclose(found["loss"].value, nats(reads, state, TEXT).mean(), rtol=1e-4)
    assert found["loss"].count == len(TEXT)


@BOTH
def test_what_is_made_up_greedily_is_the_likeliest_each_time(reads):
    state = learnt(reads)
    text = np.asarray(made_up(reads, 9, start=TOKENS.start, count=2, choose=greedy)(KEY, state)["token"])
    np.testing.assert_array_equal(text[0], text[1])
    row = np.concatenate([[TOKENS.start], text[0]])
    for place in range(9):
        before = row[: place + 1] if reads is ON else row[max(0, place + 1 - 6) : place + 1]
        logits = reads.model.apply(reads.variables(state), jnp.asarray(before)[None])[0, -1]
        assert row[place + 1] == logits.argmax()


def test_states_are_those_of_their_algorithms():
    assert isinstance(learnt(ON), Reader) and learnt(PIECES).params.keys()
    with pytest.raises(BadInput, match="microbatches 2"):
        ON.learns(optax.sgd(0.1), microbatches=2)


def test_windows_move_by_the_stride():
    one, two = (InPieces(PIECES.model, 6, stride).held_out(TEXT, 4, start=0) for stride in (0, 2))
    assert one["mask"].sum() == two["mask"].sum() == len(TEXT) and two["token"].size > one["token"].size
