"""Draws of counts have SciPy's probabilities, and at any rate the right mean and variance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.prob.counts import draw_binomial
from adl.prob.discrete import Binomial, NegativeBinomial, Poisson

NUM = 100_000
KEY = jax.random.key(1)


def moments_agree(x, mean, variance):
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / NUM)
    assert abs(x.var() / variance - 1) < 5 * np.sqrt(2 / NUM)


def test_large_poisson():
    draw = jax.jit(lambda rate: Poisson(rate).sample(KEY, (NUM,)))
    for rate in (9.0, 11.0, 1e3, 1e6, 1e8, 1e9):
        moments_agree(np.asarray(draw(rate), float), rate, rate)
    for rate in (3e9, np.inf, np.nan):
        np.testing.assert_array_equal(draw(rate), -1)
    np.testing.assert_array_equal(draw(0.0), 0)


def test_large_binomial():
    draw = jax.jit(lambda n, logits: Binomial(n, logits).sample(KEY, (NUM,)))
    for n, logits in ((30.0, 1.0), (1e6, 0.0), (1e8, 0.0), (1e9, -7.0), (1e6, 9.0)):
        p = 1 / (1 + np.exp(-logits))
        moments_agree(np.asarray(draw(n, logits), float), n * p, n * p * (1 - p))
    for n, logits, want in ((0.0, 0.3, 0), (1e7, np.inf, 1e7), (1e7, -np.inf, 0)):
        np.testing.assert_array_equal(draw(n, logits), want)
    np.testing.assert_array_equal(draw_binomial(KEY, 1e10, 0.5, (5,)), -1)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Poisson(jnp.float32(20)), stats.poisson(20)),
        (Binomial(jnp.float32(40), jnp.float32(-0.3)), stats.binom(40, 0.4255575)),
    ],
)
def test_each_count_as_often_as_scipys(ours, theirs):
    x = np.asarray(ours.sample(KEY, (NUM,)))
    observed, expected = np.bincount(x, minlength=80)[:80], NUM * theirs.pmf(np.arange(80))
    often = expected > 20
    scaled = expected[often] * observed[often].sum() / expected[often].sum()
    assert stats.chisquare(observed[often], scaled).pvalue > 1e-3


def test_mixed_poisson_beyond_int32():
    """A rate that nobody counts is told from one that is counted."""
    x = np.asarray(NegativeBinomial(jnp.float32(1e6), jnp.float32(1e-4)).sample(KEY, (5,)))
    np.testing.assert_array_equal(x, -1)
