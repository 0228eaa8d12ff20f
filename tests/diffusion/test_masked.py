"""Masked diffusion: its bound against enumeration and quadrature, its way back against the law that it is, and gaps."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import integrate

from adl.core import BadInput, jitted
from adl.diffusion import masked

KEY = jax.random.key(0)
V, T = 2, 3
TEXTS = np.array(list(itertools.product(range(V), repeat=T)))
SUBSETS = [np.array(bits) for bits in itertools.product((False, True), repeat=T)]
TABLE = np.random.default_rng(0).normal(size=((V + 1) ** T, T, V))


def table(token):
    """Any network: logits of each place, of each of the texts that may be seen."""
    return jnp.asarray(TABLE)[(token * (V + 1) ** jnp.arange(T)[None]).sum(-1)]


def nats(text, hidden):
    """Of the hidden places together, given the others."""
    logits = np.asarray(table(np.where(hidden, V, text)[None])[0])
    log_prob = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -(log_prob[np.arange(T), text] * hidden).sum()


def exact_bound(text):
    """E_k T / k of the mean over subsets of k places."""
    terms = [T / hidden.sum() * nats(text, hidden) / math.comb(T, hidden.sum()) for hidden in SUBSETS if hidden.any()]
    return sum(terms) / T


def log_prob(text):
    """Of the way back, one place a step in random order: the mean over orders of the product of its steps."""
    ways = []
    for order in itertools.permutations(range(T)):
        hidden, way = np.ones(T, bool), 1.0
        for place in order:
            logits = np.asarray(table(np.where(hidden, V, text)[None])[0, place])
            way *= np.exp(logits[text[place]]) / np.exp(logits).sum()
            hidden[place] = False
        ways.append(way)
    return np.log(np.mean(ways))


def test_the_bound_is_that_of_enumeration_and_of_the_integral_over_time():
    estimate = functools.partial(masked.masked_bound, predict=table, num_tokens=V)
    for text in TEXTS[[0, 5]]:
        many = np.asarray(estimate(KEY, token=jnp.tile(text, (60_000, 1)), may=jnp.ones((60_000, T), bool)))
        assert abs(many.mean() - exact_bound(text)) < 4 * many.std() / np.sqrt(len(many))

        def at(time, text=text):
            hidden = [(time ** h.sum() * (1 - time) ** (T - h.sum()), nats(text, h)) for h in SUBSETS]
            return sum(share * value for share, value in hidden) / time

        np.testing.assert_allclose(integrate.quad(at, 1e-9, 1)[0], exact_bound(text), rtol=1e-6)


def test_the_bound_is_above_the_surprise_of_a_law_that_sums_to_one():
    surprise = np.array([-log_prob(text) for text in TEXTS])
    np.testing.assert_allclose(np.exp(-surprise).sum(), 1, rtol=1e-6)
    slack = np.array([exact_bound(text) for text in TEXTS]) - surprise
    assert (slack > 0).all() and slack.max() > 0.01


def test_filling_one_place_a_step_draws_from_that_law():
    """In many steps; in a single one all places are drawn at once, each by itself, which is another law."""
    num = 8_000
    start = jnp.full((num, T), V)
    first = np.asarray(jax.nn.softmax(table(start[:1])[0]))
    wanted = {200: np.exp([log_prob(text) for text in TEXTS])}
    wanted[1] = np.array([np.prod(first[np.arange(T), text]) for text in TEXTS])
    assert np.abs(wanted[200] - wanted[1]).max() > 0.04
    for steps, want in wanted.items():
        filled = jax.jit(functools.partial(masked.fill, predict=table, num_tokens=V, num_steps=steps))
        drawn = np.asarray(filled(KEY, token=start)[-1])
        found = np.bincount(drawn @ V ** np.arange(T)[::-1], minlength=len(TEXTS)) / num
        # Two of three places in one of 200 steps: three texts in two hundred, of which not all are off.
        np.testing.assert_allclose(found, want, atol=4 * 0.5 / np.sqrt(num) + 0.005 * (steps > 1))


def test_as_many_are_hidden_as_any_other_number_and_each_place_as_often():
    may = jnp.tile(jnp.arange(6) > 1, (40_000, 1))
    hidden = masked.hide(KEY, jnp.zeros(may.shape, int), may, num_tokens=7)
    assert not np.asarray(hidden.is_hidden)[:, :2].any()
    np.testing.assert_array_equal(hidden.token, np.where(hidden.is_hidden, 7, 0))
    count = np.asarray(hidden.is_hidden).sum(1)
    np.testing.assert_allclose(np.bincount(count, minlength=5)[1:], 10_000, atol=1)  # evenly, not by chance
    np.testing.assert_allclose(hidden.weight, 4 / count)
    np.testing.assert_allclose(np.asarray(hidden.is_hidden).mean(0)[2:], 5 / 8, atol=0.01)


def test_rows_of_which_nothing_may_be_hidden_count_nothing():
    token, may = jnp.array([[0, 1, 1], [1, 0, 1]]), jnp.array([[False] * 3, [True] * 3])
    bound = masked.masked_bound(KEY, table, token, may, num_tokens=V)
    assert bound[0] == 0 and bound[1] > 0
    assert np.isfinite(
        jax.grad(lambda s: masked.masked_bound(KEY, lambda x: s * table(x), token, may, num_tokens=V).sum())(1.0)
    )


class Bag(nn.Module):
    """Each place, from how many there are of each token: enough where all tokens of a text are one and the same."""

    @nn.compact
    def __call__(self, token):
        seen = jax.nn.one_hot(token, 6)[..., :5].sum(1)
        return jnp.broadcast_to(nn.Dense(5)(seen)[:, None], (*token.shape, 5))


def test_a_gap_is_filled_by_what_stands_around_it_and_the_rest_stays():
    model = Bag()
    prepare = lambda key, batch: (batch["token"], jnp.ones_like(batch["token"], bool))  # noqa: E731
    algorithm = jitted(masked.masked_diffusion(model, optax.adam(0.1), num_tokens=5, prepare=prepare))
    batch = {"token": np.arange(40)[:, None] % 5 + np.zeros((40, 6), int)}
    state = algorithm.init(KEY, batch)
    for step in range(200):
        state, _ = algorithm.step(jax.random.fold_in(KEY, step), state, batch)
    text = jnp.asarray(batch["token"][:5]).at[:, 2:4].set(5)
    predict = lambda token: model.apply(state.variables, token)  # noqa: E731
    states = masked.fill(KEY, predict, text, num_tokens=5, num_steps=8)
    np.testing.assert_array_equal(states[-1], batch["token"][:5])
    seen = np.concatenate([text[None], states])
    assert ((seen[1:] == seen[:-1]) | (seen[:-1] == 5)).all(), "what is filled stays"
    on = masked.write_on(KEY, predict, jnp.full((2, 1), 3), 11, length=6, num_tokens=5, num_steps=6)
    assert on.shape == (2, 11) and (np.asarray(on) == 3).mean() > 0.9


def test_no_steps_are_one_line():
    with pytest.raises(BadInput, match="0 steps of filling; at least 1"):
        masked.fill(KEY, table, jnp.full((1, T), V), num_tokens=V, num_steps=0)


def test_a_network_of_fewer_tokens_is_refused():
    """The bound would be one of those that it knows."""
    few = lambda token: jnp.zeros((*token.shape, 3))  # noqa: E731
    token = jnp.array([[0, 1, 2]])
    with pytest.raises(AssertionError):
        masked.masked_bound(jax.random.key(0), few, token, token >= 0, num_tokens=4)
    with pytest.raises(AssertionError):
        masked.fill(jax.random.key(0), few, jnp.full((1, 3), 4), num_tokens=4, num_steps=2)
