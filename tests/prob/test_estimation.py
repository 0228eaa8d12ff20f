"""Estimation from batches: the whole data's maximum likelihood, SciPy's posteriors, roots of regression functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import betaln

from adl.core import Algorithm, jitted
from adl.prob import exponential_family as ef
from adl.prob.estimation import conjugate, maximum_likelihood, of_sets, robbins_monro

KEY = jax.random.key(0)


def learned(algorithm: Algorithm, x: np.ndarray, batch_size: int):
    algorithm, losses = jitted(algorithm), []
    batches = [{"x": x[i : i + batch_size]} for i in range(0, len(x), batch_size)]
    state = algorithm.init(KEY, batches[0])
    for batch in batches:
        state, metrics = algorithm.step(KEY, state, batch)
        losses.append(float(metrics["loss"].value))
    return state, losses


def test_maximum_likelihood_of_batches_is_that_of_the_whole():
    x = stats.gamma(3.0, scale=0.5).rvs(600, random_state=0).astype("f")
    family = ef.gamma()
    state, _ = learned(maximum_likelihood(family), x, 20)
    fitted = family.distribution(family.fit(state.mean))
    want = stats.gamma.fit(x.astype(float), floc=0)
    np.testing.assert_allclose((fitted.concentration, 1 / fitted.rate), (want[0], want[2]), rtol=1e-3)
    assert state.count == 600


def test_variance_of_maximum_likelihood_is_too_small_by_one_part_in_n():
    """E[variance] = (N - 1) / N of the true one. Source: Bishop & Bishop 2024, eq. 2.60."""
    family, true = ef.normal(), 4.0
    for n in (2, 5, 20):
        x = 1 + 2 * jax.random.normal(jax.random.fold_in(KEY, n), (20000, n))
        fitted = jax.vmap(family.distribution)(of_sets(family, x))
        np.testing.assert_allclose(fitted.loc, x.mean(1), atol=1e-4)
        variance = np.square(fitted.scale)
        error = variance.std() / np.sqrt(len(variance))
        assert abs(variance.mean() - (n - 1) / n * true) < 4 * error < true / n


def test_conjugate_surprises_add_to_the_evidence():
    """Of single observations: the chain rule of log p(x_1 ... x_N), SciPy's beta-binomial of the ordered trials."""
    x = (np.random.default_rng(0).random(40) < 0.3).astype(np.int32)
    belief, losses = learned(conjugate(ef.bernoulli(), total=[1.0], count=2.0), x, 1)
    want = betaln(1 + x.sum(), 1 + 40 - x.sum()) - betaln(1, 1)
    np.testing.assert_allclose(-sum(losses), want, rtol=1e-5)
    posterior = ef.bernoulli().posterior(*belief)
    np.testing.assert_allclose((posterior.alpha, posterior.beta), (1 + x.sum(), 41 - x.sum()), rtol=1e-6)


def test_robbins_monro_is_the_running_mean():
    x = np.random.default_rng(0).normal(5, 2, 400).astype("f")
    state, _ = learned(robbins_monro(lambda theta, x: theta - x, 0.0), x, 1)
    np.testing.assert_allclose(state.theta, x.mean(), rtol=1e-5)


@pytest.mark.parametrize("q", [0.1, 0.5])
def test_robbins_monro_finds_quantiles(q):
    """The error of the q-quantile of N numbers is about sqrt(q (1 - q) / N) over the density, for the best steps."""
    x = np.random.default_rng(1).normal(size=4000).astype("f")
    density = stats.norm.pdf(stats.norm.ppf(q))
    algorithm = robbins_monro(
        lambda theta, x: (x < theta) - q, 0.0, step_size=lambda t: 1 / (float(density) * jnp.maximum(t, 10))
    )
    state, _ = learned(algorithm, x, 1)
    assert abs(state.theta - stats.norm.ppf(q)) < 4 * np.sqrt(q * (1 - q) / len(x)) / density
