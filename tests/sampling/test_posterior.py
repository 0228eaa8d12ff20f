"""Targets that are hard: a real posterior as BlackJAX draws from it, and funnels, with what their necks allow."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import jitted, trace
from adl.sampling import diagnostics
from adl.sampling.hmc import hmc
from adl.sampling.nuts import nuts
from experiments.sampling import nuts as experiment
from tests.sampling import breast_cancer

KEY = jax.random.key(0)
TABLE = {name: np.array(values) for name, values in json.loads(breast_cancer.TABLE.read_text()).items()}


def draws(alg, num_warmup, num_draws):
    """`[C, N, D]` after the warm-up."""
    init_key, warm_key, key = jax.random.split(KEY, 3)
    state, _ = jax.jit(trace(alg, num_warmup, lambda chain: ()))(warm_key, jitted(alg).init(init_key, ()))
    return jax.jit(trace(alg, num_draws, lambda chain: chain.position))(key, state)[1].swapaxes(0, 1)


def z_scores(x, mean, error=0.0):
    return (x.mean((0, 1)) - mean) / np.hypot(diagnostics.standard_error(x), error)


@pytest.fixture(scope="module")
def theirs():
    return breast_cancer.sample(jax.random.key(1), num_chains=4, num_warmup=400, num_draws=500)


@pytest.mark.full  # of the table below, which BlackJAX made
def test_the_reference_is_blackjaxs(theirs):
    assert abs(z_scores(theirs, TABLE["mean"], TABLE["standard_error"])).max() < 4
    np.testing.assert_allclose(theirs.std((0, 1)), TABLE["std"], rtol=0.12)


def test_the_experiments_density_is_the_references():
    """Up to a constant, at points around the posterior."""
    ours, reference = experiment.load(experiment.Config()).log_density, breast_cancer.posterior("float32")
    points = jax.random.normal(KEY, (20, 31))
    difference = jax.vmap(ours)(points) - jax.vmap(reference)(points)
    np.testing.assert_allclose(difference, difference[0], atol=1e-2)


@functools.cache
def posterior(method):
    config = experiment.Config(method=method, num_steps=400, num_chains=4)
    return draws(experiment.algorithm(config, experiment.load(config)), 400, 1000)


METHODS = pytest.mark.parametrize("method", [pytest.param("nuts", marks=pytest.mark.full), "hmc"])


@METHODS
def test_a_posterior_is_blackjaxs_table(method):
    x = posterior(method)
    assert diagnostics.split_rhat(x).max() < 1.01
    assert abs(z_scores(x, TABLE["mean"], TABLE["standard_error"])).max() < 4
    second = (x - TABLE["mean"].astype("f")[None, None]) ** 2
    assert abs(z_scores(second, TABLE["std"] ** 2)).max() < 4.5  # the table's own error of a variance left out
    assert (diagnostics.standard_error(x) < 0.05 * TABLE["std"]).all()  # so that it can fail


@pytest.mark.full  # the table is of many more draws
@METHODS
def test_a_posterior_is_blackjaxs(method, theirs):
    assert abs(z_scores(posterior(method), theirs.mean((0, 1)), diagnostics.standard_error(theirs))).max() < 4


def funnel(x, *, std):
    v, x = x[0], x[1:]
    return -0.5 * (v / std) ** 2 - 0.5 * jnp.exp(-v) * (x**2).sum() - 0.5 * len(x) * v


def start(key):
    return jax.random.uniform(key, (10,), minval=-2.0, maxval=2.0)


def test_nuts_knows_the_neck_of_a_mild_funnel():
    """v ~ N(0, 1): scales from exp(-1.5) to exp(1.5) are within reach of one step size."""
    x = draws(nuts(functools.partial(funnel, std=1.0), start, num_chains=8, num_warmup=500), 500, 2000)
    v = x[..., :1]
    assert diagnostics.split_rhat(x).max() < 1.01
    assert abs(z_scores(v, 0.0)) < 4 and abs(z_scores(v**2, 1.0)) < 4
    assert diagnostics.standard_error(v) < 0.05


@pytest.mark.parametrize(
    "make", [pytest.param(nuts, marks=pytest.mark.full), functools.partial(hmc, num_leapfrog=32)], ids=["nuts", "hmc"]
)
def test_the_neck_of_neals_funnel_is_beyond_either_and_rhat_says_so(make):
    """v ~ N(0, 9) with nine x: the neck is not reached, v comes out too large; these chains must not be trusted."""
    x = draws(make(functools.partial(funnel, std=3.0), start, num_chains=8, num_warmup=500), 500, 1000)
    v = x[..., 0]
    assert diagnostics.split_rhat(v) > 1.01
    assert jnp.quantile(v, 0.01) > -5.5  # the truth is 3 * -2.33 = -7


@pytest.mark.full  # a Gaussian to NUTS
def test_neals_funnel_in_other_coordinates():
    """x = exp(v / 2) z: the same distribution, and a Gaussian to sample."""
    x = draws(nuts(lambda z: -0.5 * (z**2).sum(), start, num_chains=8, num_warmup=500), 500, 2000)
    v = 3 * x[..., :1]
    logs = jnp.log(jnp.abs(jnp.exp(v / 2) * x[..., 1:]))
    assert abs(z_scores(v, 0.0)) < 4 and abs(z_scores(v**2, 9.0)) < 4
    # E log|x| = E v / 2 + E log|z|, of which the last is -(Euler's constant + log 2) / 2.
    assert abs(z_scores(logs, -(np.euler_gamma + np.log(2)) / 2)).max() < 4
