"""Texts drawn with a draft are distributed as those of the model alone: by enumeration of all texts."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import chisquare

from adl.core import Learner
from adl.data.text import Continued
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT
from adl.sequence.decode import drawn, generate, in_turn, nucleus, reading, temperature, top_k
from adl.sequence.speculative import acceptance, beside_drawn, judge, speculative, tokens_a_pass

KEY = jax.random.key(0)
V, N, DRAWS = 4, 3, 3000
LARGE, SMALL = GPT(V, 8, 1, 2, 8), GPT(V, 8, 1, 1, 4)
PROMPT = np.array([[2, 1], [0, 3], [0, 1]])
MASK = np.array([[1, 1], [1, 1], [0, 1]], bool)
PLAIN, ADJUSTED = in_turn(), in_turn(temperature(1.5), nucleus(0.9))


def randomly(model, key, scale):
    """Weights so large that each token matters; vectors, which would say one token alone, as at the start."""
    keys = iter(jax.random.split(key, 100))
    start = jax.jit(model.init)(KEY, PROMPT)
    return jax.tree.map(lambda p: scale * jax.random.normal(next(keys), p.shape) if p.ndim > 1 else p, start)


LARGE_AT, SMALL_AT = randomly(LARGE, jax.random.key(4), 0.7), randomly(SMALL, jax.random.key(1), 0.7)


def exact(adjust):
    """`[rows, V^N]` probabilities of all texts, each read at once, without a cache or padding."""
    texts = np.array(list(itertools.product(range(V), repeat=N)))
    rows = []
    for prompt, mask in zip(PROMPT, MASK, strict=True):
        prompt = prompt[mask]
        whole = np.concatenate([np.tile(prompt, (len(texts), 1)), texts], 1)
        logits = np.asarray(adjust(LARGE.apply(LARGE_AT, whole)), np.float64)[:, len(prompt) - 1 : -1]
        rows.append(np.exp(np.take_along_axis(log_softmax(logits, -1), texts[..., None], -1).sum((1, 2))))
    return np.stack(rows)


def with_draft(key, adjust=PLAIN, **options):
    caches = [model.empty_cache(len(PROMPT), 2 + options.get("num_tokens", N) - 1) for model in (LARGE, SMALL)]
    large, small = reading(LARGE, LARGE_AT), reading(SMALL, SMALL_AT)
    options = {"num_tokens": N, "num_drafted": 2, "mask": MASK} | options
    return speculative(key, large, caches[0], small, caches[1], PROMPT, adjust=adjust, **options)


def alone(key, adjust=PLAIN, **options):
    options = {"num_tokens": N, "mask": MASK, "choose": drawn(adjust)} | options
    cache = LARGE.empty_cache(len(PROMPT), 2 + options["num_tokens"] - 1)
    return generate(key, reading(LARGE, LARGE_AT), cache, PROMPT, **options)


@pytest.mark.parametrize("adjust", [PLAIN, ADJUSTED], ids=["plain", "nucleus"])
@pytest.mark.parametrize("decode", [alone, with_draft])
def test_texts_follow_the_large_model(decode, adjust):
    """Rows of different prompts, each of which takes other numbers of drafted tokens."""
    texts = jax.jit(jax.vmap(lambda key: decode(key, adjust)))(jax.random.split(KEY, DRAWS))
    for row, prob in enumerate(exact(adjust)):
        counts = np.bincount(np.asarray(texts.token[:, row]) @ [V * V, V, 1], minlength=V**N)
        assert not counts[prob == 0].any()
        # Texts that are expected less than five times are counted together.
        often = DRAWS * prob >= 5
        seen = np.append(counts[often], counts[~often].sum())
        want = DRAWS * np.append(prob[often], prob[~often].sum())
        assert chisquare(seen[want > 0], want[want > 0]).pvalue > 1e-3
    if decode is with_draft:
        assert len(np.unique(texts.num_passes - texts.num_passes[:, :1])) > 1  # rows part in one call


def test_greedy_texts_and_stops_are_those_of_the_model_alone():
    """Whatever is drafted: token for token, in fewer passes than tokens."""
    stop = {"num_tokens": 6, "stop": (0,), "pad": 9}
    texts = jax.jit(lambda: with_draft(KEY, top_k(1), **stop))()
    want = jax.jit(lambda: alone(KEY, top_k(1), **stop))()
    np.testing.assert_array_equal(texts.token, want.token)
    np.testing.assert_array_equal(texts.length, want.length)
    assert (texts.length < 6).any() and (texts.num_accepted > 0).any()
    assert (texts.length <= texts.num_passes + texts.num_accepted).all()


def test_stopped_texts_are_drawn_as_those_of_the_model_alone():
    """Lengths of texts that a token ends, by the same enumeration."""
    texts = jax.jit(jax.vmap(lambda key: with_draft(key, stop=(1,), pad=9)))(jax.random.split(KEY, DRAWS))
    all_texts = np.array(list(itertools.product(range(V), repeat=N)))
    ends = np.where((all_texts == 1).any(1), (all_texts == 1).argmax(1) + 1, N)
    for row, prob in enumerate(exact(PLAIN)):
        want = DRAWS * np.bincount(ends, prob)[1:]
        counts = np.bincount(texts.length[:, row], minlength=N + 1)
        assert counts[0] == 0 and chisquare(counts[1:], want).pvalue > 1e-3
    behind = np.arange(N)[None, None] >= np.asarray(texts.length)[..., None]
    assert (np.asarray(texts.token)[behind] == 9).all() and behind.any()


def test_a_draft_of_its_own_is_taken_whole():
    read = reading(LARGE, LARGE_AT)
    texts = jax.jit(
        lambda: speculative(
            KEY, read, LARGE.empty_cache(3), read, LARGE.empty_cache(3), PROMPT, 6, num_drafted=2, mask=MASK
        )
    )()
    np.testing.assert_array_equal(texts.num_passes, [2, 2, 2])
    np.testing.assert_array_equal(texts.num_accepted, [4, 4, 4])


def test_a_judge_takes_what_both_models_would_say():
    """How often: 1 - total variation, independently for each token; what it says instead: the rest of p."""
    rng = np.random.default_rng(0)
    log_p, log_q = (log_softmax(rng.normal(size=(n, 5)), -1) for n in (3, 2))
    p, q = np.exp(log_p), np.exp(log_q)

    def one(key):
        draft_key, key = jax.random.split(key)
        token = jax.random.categorical(draft_key, jnp.asarray(log_q))
        return judge(key, token[None], jnp.asarray(log_q)[None], jnp.asarray(log_p)[None])

    got = jax.jit(jax.vmap(one))(jax.random.split(KEY, 20_000))
    first, second = np.minimum(p[:-1], q).sum(-1)
    want = 20_000 * np.array([1 - first, first * (1 - second), first * second])
    assert chisquare(np.bincount(got.num_accepted[:, 0]), want).pvalue > 1e-3
    token = np.asarray(got.token[:, 0])
    for place in range(3):  # the tokens that count, wherever they come from, are of p
        counted = np.asarray(got.num_accepted[:, 0]) >= place
        assert chisquare(np.bincount(token[counted, place], minlength=5), counted.sum() * p[place]).pvalue > 1e-3


def test_a_state_that_has_read_on_cannot_return():
    model = TokenModel(V, 8, Recurrents(lstm, (8,)))
    variables = model.init(KEY, PROMPT)
    with pytest.raises(TypeError, match="takes tokens back"):
        speculative(
            KEY,
            reading(LARGE, LARGE_AT),
            LARGE.empty_cache(3),
            reading(model, variables),
            model.empty_cache(3),
            PROMPT,
            N,
        )


def test_a_draft_that_remembers_nothing_needs_no_cache():
    """A table of what follows each token: the sharper draft takes fewer passes, the texts end alike."""
    table = jnp.asarray(2 * softmax(np.random.default_rng(0).normal(size=(V, V)), -1))

    def bigram(token, carry, mask=None):
        return table[token], carry

    cache = LARGE.empty_cache(3)
    texts = jax.jit(
        lambda: speculative(
            KEY, reading(LARGE, LARGE_AT), cache, bigram, (), PROMPT, 6, num_drafted=3, adjust=top_k(1), mask=MASK
        )
    )()
    want = jax.jit(lambda: alone(KEY, top_k(1), num_tokens=6))()
    np.testing.assert_array_equal(texts.token, want.token)


def test_acceptance_is_the_share_that_two_models_have_in_common():
    """A token x of q is taken with probability min(1, p / q): sum_x q min(1, p / q)."""
    p, q = np.random.default_rng(0).dirichlet(np.ones(5), (2, 7))
    np.testing.assert_allclose(acceptance(np.log(p), np.log(q)), (q * np.minimum(1, p / q)).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(acceptance(np.log(p), np.log(p)), 1, rtol=1e-5)


def test_tokens_a_pass_are_those_of_drafts_that_end_by_chance():
    """One more than the tokens accepted, of G that are tried one after the other until one is not."""
    alpha, num_drafted = 0.7, 4
    taken = [alpha**n * (1 - alpha) for n in range(num_drafted)] + [alpha**num_drafted]
    np.testing.assert_allclose(tokens_a_pass(alpha, num_drafted), np.arange(1, num_drafted + 2) @ taken, rtol=1e-6)


def test_beside_drawn_texts_those_with_drafts_surprise_alike_and_come_as_fast_as_is_said():
    prompt = np.random.default_rng(1).integers(0, V, (400, 2))
    held = Continued(prompt, np.random.default_rng(2).integers(0, V, (400, 5)))
    state = {"model": Learner(LARGE_AT["params"], (), {}), "draft": Learner(SMALL_AT["params"], (), {})}
    found = jax.jit(beside_drawn(LARGE, SMALL, held, num_drafted=2))(KEY, state)
    assert found["z"].value < 4
    np.testing.assert_allclose(found["ratio"].value, found["a_pass"].value / found["expected"].value, rtol=1e-5)
    np.testing.assert_allclose(found["expected"].value, tokens_a_pass(found["alpha"].value, 2), rtol=1e-5)
    np.testing.assert_allclose(found["passes"], [found["a_pass"].value, found["expected"].value])
    whole = np.concatenate([prompt, held.text], 1)
    log_prob = log_softmax(np.asarray(LARGE.apply(LARGE_AT, whole[:, :-1]), float), -1)
    people = -np.take_along_axis(log_prob, whole[:, 1:, None], -1)[:, 1:, 0].mean(1)
    np.testing.assert_allclose(found["people"], np.sort(people), rtol=1e-4)
    np.testing.assert_allclose(found["text_surprise"].value, people.mean(), rtol=1e-4)
    assert 0.8 < found["ratio"].value < 1.2
