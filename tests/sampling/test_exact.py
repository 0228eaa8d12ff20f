"""Draws that are exact: inversion, rejection, adaptive rejection, ancestral; judged by SciPy's distributions.

Kolmogorov and Smirnov's p-value, or chi-squared's, is above 1e-3: of a right sampler once in a thousand keys, and the
keys are fixed. Means are within 4 standard errors.
"""

import graphlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.sampling.adaptive_rejection import adaptive_rejection
from adl.sampling.ancestral import Node, ancestral
from adl.sampling.inversion import bisection, inverse_transform, lookup
from adl.sampling.rejection import rejection

KEY = jax.random.key(0)


def test_closed_quantiles_invert():
    x = inverse_transform(KEY, lambda u: -jnp.log1p(-u) / 2.0, (20_000,))
    assert stats.kstest(np.asarray(x), stats.expon(scale=0.5).cdf).pvalue > 1e-3
    assert stats.kstest(np.asarray(x), stats.expon(scale=0.52).cdf).pvalue < 1e-3  # so that it can fail


def test_bisection_is_scipys_quantile():
    p = jnp.linspace(0.001, 0.999, 99)
    found = bisection(lambda x: jax.scipy.special.gammainc(2.5, x), p, low=0.0, high=50.0)
    np.testing.assert_allclose(found, stats.gamma(2.5).ppf(np.asarray(p)), rtol=2e-4)
    drawn = inverse_transform(KEY, lambda u: bisection(jax.scipy.special.ndtr, u, low=-10.0, high=10.0), (20_000,))
    assert stats.kstest(np.asarray(drawn), "norm").pvalue > 1e-3


def test_lookup_has_the_probabilities_and_skips_what_has_none():
    weight = jnp.array([0.0, 1.0, 3.0, 0.0, 4.0, 0.0])
    counts = np.bincount(lookup(weight, jax.random.uniform(KEY, (20_000,))), minlength=6)
    assert counts[[0, 3, 5]].sum() == 0
    assert stats.chisquare(counts[[1, 2, 4]], 20_000 * np.array([1, 3, 4]) / 8).pvalue > 1e-3
    np.testing.assert_array_equal(lookup(weight, jnp.array([0.0, 0.1249, 0.126, 0.51, 1.0])), [1, 1, 2, 4, 4])


def test_rejection_is_exact_and_tries_as_often_as_its_bound_says():
    """p = x (1 - x)^3 on [0, 1] from the uniform: M = 27 / 256, Z = 1 / 20, so that 2.109 tries make a draw."""
    bound = jnp.log(27 / 256)

    def once(key):
        return rejection(key, lambda x: jnp.log(x) + 3 * jnp.log1p(-x), jax.random.uniform, lambda x: 0.0 * x,
                         log_bound=bound)  # fmt: skip

    kept = jax.jit(jax.vmap(once))(jax.random.split(KEY, 20_000))
    assert stats.kstest(np.asarray(kept.x), stats.beta(2, 4).cdf).pvalue > 1e-3
    rate = 27 / 256 * 20
    assert abs(kept.num_tries.mean() - rate) < 4 * np.sqrt(rate * (rate - 1) / 20_000)
    assert kept.excess.max() <= 1e-5


def test_rejection_tells_of_a_bound_that_does_not_hold():
    kept = jax.vmap(lambda key: rejection(key, lambda x: 2 * x, jax.random.uniform, lambda x: 0.0 * x, log_bound=1.0))(
        jax.random.split(KEY, 100)
    )
    assert kept.excess.max() > 0.5


LOG_CONCAVE = {
    "normal": (lambda x: -0.5 * x**2, [-1.0, 2.0], {}, stats.norm()),
    "half normal, far": (lambda x: -0.5 * x**2, [2.5, 3.0], {"low": 2.0}, stats.truncnorm(2.0, np.inf)),
    "gamma": (lambda x: 2 * jnp.log(x) - x, [0.5, 6.0], {"low": 0.0}, stats.gamma(3)),
    "beta": (lambda x: jnp.log(x) + 3 * jnp.log1p(-x), [0.1, 0.8], {"low": 0.0, "high": 1.0}, stats.beta(2, 4)),
    "laplace": (lambda x: -jnp.abs(x), [-0.5, 3.0], {}, stats.laplace()),
    "uniform": (lambda x: 0.0 * x, [0.2, 0.7], {"low": 0.0, "high": 1.0}, stats.uniform()),
}


@pytest.mark.parametrize("name", LOG_CONCAVE)
def test_adaptive_rejection_is_exact(name):
    log_density, start, ends, truth = LOG_CONCAVE[name]
    x, hull, evaluations = jax.jit(
        lambda key: adaptive_rejection(key, log_density, jnp.array(start), 5000, capacity=24, **ends)
    )(KEY)
    assert stats.kstest(np.asarray(x), truth.cdf).pvalue > 1e-3
    assert evaluations < 300  # of 5,000 draws and more: the squeeze answers for the rest
    known = np.asarray(hull.x[: hull.count])
    assert (np.diff(known) > 0).all()
    np.testing.assert_allclose(hull.log_density[: hull.count], jax.vmap(log_density)(known), rtol=1e-5, atol=1e-6)


def test_a_full_hull_stays_exact():
    """With three points only the envelope is loose, which costs evaluations, not truth."""
    x, hull, evaluations = adaptive_rejection(KEY, lambda x: -0.5 * x**2, jnp.array([-1.0, 1.0]), 3000, capacity=3)
    assert hull.count == 3 and evaluations > 500
    assert stats.kstest(np.asarray(x), "norm").pvalue > 1e-3


SPRINKLER = {  # p(wet | sprinkler, rain), p(sprinkler | rain)
    "wet": Node(lambda key, s, r: jax.random.bernoulli(key, jnp.array([[0.05, 0.8], [0.9, 0.99]])[s, r]).astype(int),
                ("sprinkler", "rain")),
    "rain": Node(lambda key: jax.random.bernoulli(key, 0.2).astype(int)),
    "sprinkler": Node(lambda key, r: jax.random.bernoulli(key, jnp.array([0.4, 0.01])[r]).astype(int), ("rain",)),
}  # fmt: skip


def test_ancestral_draws_have_the_joint_of_the_graph():
    drawn = jax.vmap(lambda key: ancestral(key, SPRINKLER))(jax.random.split(KEY, 20_000))
    expected, counts = [], []
    for r, s, w in itertools.product((0, 1), repeat=3):
        p_w = [[0.05, 0.8], [0.9, 0.99]][s][r]
        p = (0.2 if r else 0.8) * ([0.4, 0.01][r] if s else 1 - [0.4, 0.01][r]) * (p_w if w else 1 - p_w)
        expected.append(20_000 * p)
        counts.append(int(((drawn["rain"] == r) & (drawn["sprinkler"] == s) & (drawn["wet"] == w)).sum()))
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_what_is_set_tells_nothing_of_its_parents():
    drawn = jax.vmap(lambda key: ancestral(key, SPRINKLER, {"sprinkler": jnp.ones((), int)}))(
        jax.random.split(KEY, 20_000)
    )
    assert abs(drawn["rain"].mean() - 0.2) < 4 * np.sqrt(0.16 / 20_000)  # seen, not set, it would be 0.6 %
    assert abs(drawn["wet"].mean() - (0.8 * 0.9 + 0.2 * 0.99)) < 4 * np.sqrt(0.08 / 20_000)


def test_graphs_that_are_none_are_refused():
    cycle = {"a": Node(lambda key, b: b, ("b",)), "b": Node(lambda key, a: a, ("a",))}
    with pytest.raises(graphlib.CycleError):
        ancestral(KEY, cycle)
    with pytest.raises(KeyError, match="c"):
        ancestral(KEY, {"a": Node(lambda key, c: c, ("c",))})
