"""Simulation-based calibration of a posterior by HMC: ranks are uniform, and a wrong posterior's are not.

Chi-squared over 8 bins of 256 simulations, p above 1e-3: of a right sampler once in a thousand keys; the key is fixed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import trace
from adl.sampling.hmc import hmc
from adl.sampling.simulation_based import calibration_ranks

KEY = jax.random.key(0)
DRAWS = 31  # ranks in 0 ... 31: four to a bin
X = jnp.linspace(-1.5, 1.5, 10)


def prior(key):
    return jax.random.normal(key, (2,))


def simulate(key, w):
    """Counts y ~ Poisson(exp(w_0 + w_1 x))."""
    return jax.random.poisson(key, jnp.exp(w[0] + w[1] * X))


def posterior(key, y, prior_scale=1.0):
    """31 draws, each eighth of a chain: of no closed form, and not Gaussian."""

    def log_density(w):
        eta = w[0] + w[1] * X
        return (y * eta - jnp.exp(eta)).sum() - 0.5 * jnp.square(w / prior_scale).sum()

    alg = hmc(log_density, lambda key: 0.1 * jax.random.normal(key, (2,)), num_chains=1, num_warmup=150,
              num_leapfrog=6, step_size=0.2)  # fmt: skip
    init_key, warm_key, key = jax.random.split(key, 3)
    state, _ = trace(alg, 150, lambda chain: ())(warm_key, alg.init(init_key, ()))
    return trace(alg, 8 * DRAWS, lambda chain: chain.position[0])(key, state)[1][::8]


def p_values(ranks):
    bins = np.stack([np.bincount(column // 4, minlength=8) for column in np.asarray(ranks).T])
    return stats.chisquare(bins, axis=1).pvalue


@pytest.mark.parametrize(("prior_scale", "is_right"), [(1.0, True), (0.4, False)])
def test_ranks_are_uniform_only_of_the_right_posterior(prior_scale, is_right):
    ranks = jax.jit(
        lambda key: calibration_ranks(
            key, prior, simulate, lambda key, y: posterior(key, y, prior_scale), num_simulations=256
        )
    )(KEY)
    assert ranks.shape == (256, 2) and ranks.min() >= 0 and ranks.max() <= DRAWS
    assert (p_values(ranks) > 1e-3).all() == is_right
