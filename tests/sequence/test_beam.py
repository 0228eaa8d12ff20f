"""Beam search is Hugging Face's, token for token; wide enough it is exact; its scores are the model's."""

import itertools

import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from adl.nn.recurrent import Recurrents, lstm
from adl.nn.token import TokenModel
from adl.sequence.beam import beam_search, power, wu
from adl.sequence.decode import generate, reading

KEY = jax.random.key(0)


def test_beams_are_theirs(gpt2):
    """Of ragged prompts, with stops, by what the length counts for. They cut a search off early unless told "never"."""

    @jax.jit
    def search(alpha):
        beams = {"num_beams": 3, "penalty": power(alpha), **gpt2.given}
        return beam_search(gpt2.read, gpt2.cache, gpt2.token, mask=gpt2.mask, **beams)

    texts = []
    for alpha in (0.0, 1.0, 3.0):
        options = {"num_beams": 3, "num_return_sequences": 3, "length_penalty": alpha, "early_stopping": "never"}
        want = gpt2.theirs(**options).reshape(5, 3, -1)
        got = search(alpha)
        np.testing.assert_array_equal(got.token, want)
        assert (np.diff(got.score) <= 0).all()
        texts.append(got.length[:, 0])
    assert (texts[0] < texts[2]).any() and (texts[0] <= texts[2]).all()  # it makes them longer


def test_one_beam_is_greedy(gpt2):
    given = {"mask": gpt2.mask, **gpt2.given, "stop": ()}
    got = jax.jit(lambda: beam_search(gpt2.read, gpt2.cache, gpt2.token, num_beams=1, **given))()
    want = jax.jit(lambda: generate(KEY, gpt2.read, gpt2.cache, gpt2.token, **given))()
    np.testing.assert_array_equal(got.token[:, 0], want.token)


MODEL = TokenModel(4, 8, Recurrents(lstm, (8,)))  # whose state is a cache, too
PROMPT = np.array([[2, 1], [0, 3]])


@pytest.fixture(scope="module")
def variables():
    shapes = jax.eval_shape(MODEL.init, KEY, PROMPT)
    keys = iter(jax.random.split(KEY, 100))
    return jax.tree.map(lambda leaf: 0.8 * jax.random.normal(next(keys), leaf.shape), shapes)


def log_probs(variables, prompt):
    """`[V^3, 3]` of each token of all continuations by three, and these."""
    texts = np.array(list(itertools.product(range(4), repeat=3)))
    whole = np.concatenate([np.tile(prompt, (64, 1)), texts], 1)
    logits = np.asarray(MODEL.apply(variables, whole)[:, 1:-1], np.float64)
    return texts, np.take_along_axis(log_softmax(logits, -1), texts[..., None], -1)[..., 0]


@pytest.mark.parametrize("penalty", [power(0.0), power(-0.5), wu(2.0)], ids=["none", "shorter", "wu"])
def test_wide_enough_it_finds_the_best_of_all(variables, penalty):
    """Texts end with 3 or their third token; all of them are tried."""
    search = jax.jit(
        lambda: beam_search(
            reading(MODEL, variables), MODEL.empty_cache(2), PROMPT, 3, num_beams=64, stop=(3,), penalty=penalty, pad=9
        )
    )
    got = search()
    for row in range(2):
        known = {}
        for text, log_prob in zip(*log_probs(variables, PROMPT[row]), strict=True):
            length = int(np.argmax(text == 3)) + 1 if (text == 3).any() else 3
            known[(*text[:length], *[9] * (3 - length))] = log_prob[:length].sum() / float(penalty(length))
        best = sorted(known, key=known.get, reverse=True)
        np.testing.assert_array_equal(got.token[row, : len(best)], best)
        np.testing.assert_allclose(got.score[row, : len(best)], [known[text] for text in best], rtol=1e-5)
        assert (got.score[row, len(best) :] == -np.inf).all()  # there are no more


def test_what_is_remembered_follows_its_text(variables):
    """Two beams that change places: the scores are those of the whole texts."""
    search = jax.jit(
        lambda: beam_search(reading(MODEL, variables), MODEL.empty_cache(2), PROMPT, 3, num_beams=2, penalty=power(0.0))
    )
    got = search()
    for row in range(2):
        _, log_prob = log_probs(variables, PROMPT[row])
        index = np.asarray(got.token[row]) @ [16, 4, 1]
        np.testing.assert_allclose(got.score[row], log_prob[index].sum(-1), rtol=1e-5)


def test_wu_s_penalty_is_the_formula():
    np.testing.assert_allclose(wu(0.6)(np.arange(1, 9)), (np.arange(6, 14) / 6) ** 0.6, rtol=1e-6)
