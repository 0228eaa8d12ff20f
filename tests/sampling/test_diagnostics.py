"""Diagnostics equal BlackJAX's, follow from closed forms, and see what chains do wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from blackjax import diagnostics as blackjax
from scipy import stats

from adl.sampling import diagnostics

RNG = np.random.default_rng(0)
# `array_stats` of arviz-stats 0.8.0, in double precision, on `autoregressive(rho, (4, 1001), default_rng(0))`:
# `rhat(x)`, `ess(x, method="bulk")` and `mcse(x, method="mean")`.
ARVIZ = {
    -0.6: (1.001266, 14408.24, 0.008318),
    0.5: (1.003190, 1332.42, 0.027345),
    0.95: (1.056681, 93.14, 0.104500),
}


def autoregressive(rho: float, shape=(4, 2000), rng=RNG) -> jax.Array:
    """Chains x_t = rho x_{t-1} + noise `[C, N, 1]`, from their stationary N(0, 1)."""
    x = rng.normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return jnp.asarray(x, "float32")[..., None]


DRAWS = {
    "independent": autoregressive(0.0),
    "slow": autoregressive(0.95),
    "antithetic": autoregressive(-0.5),
    "one chain": autoregressive(0.5, (1, 500)),
    "ties": jnp.round(autoregressive(0.5)),
    "heavy tails": jnp.asarray(RNG.standard_cauchy((4, 500, 3)), "float32"),
    "apart": autoregressive(0.5) + jnp.arange(4.0)[:, None, None],
    "several axes": jnp.asarray(RNG.normal(size=(4, 300, 2, 3)), "float32"),
}


@pytest.mark.parametrize("name", DRAWS)
def test_diagnostics_are_blackjaxs(name):
    draws = DRAWS[name]
    with jax.numpy_rank_promotion("allow"):
        rhat, ess = (np.reshape(of(draws), draws.shape[2:]) for of in (blackjax.rhat, blackjax.ess_bulk))
    np.testing.assert_allclose(diagnostics.split_rhat(draws), rhat, rtol=1e-4)
    # BlackJAX caps a last even lag that ArviZ and these do not, which tells where the sum of lags is small.
    np.testing.assert_allclose(diagnostics.bulk_ess(draws), ess, rtol=0.1 if name == "antithetic" else 0.02)


@pytest.mark.parametrize("rho", ARVIZ)
def test_diagnostics_are_arvizs(rho):
    draws = autoregressive(rho, (4, 1001), np.random.default_rng(0))
    ours = [of(draws)[0] for of in (diagnostics.split_rhat, diagnostics.bulk_ess, diagnostics.standard_error)]
    np.testing.assert_allclose(ours, ARVIZ[rho], rtol=1e-4)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.4])
def test_effective_sample_size_of_an_autoregression(rho):
    """The closed form C N (1 - rho) / (1 + rho)."""
    draws = autoregressive(rho, (8, 20_000))
    want = 160_000 * (1 - rho) / (1 + rho)
    np.testing.assert_allclose(diagnostics.effective_sample_size(draws), [want], rtol=0.1)


def test_standard_error_is_the_spread_of_the_mean():
    means = autoregressive(0.8, (400, 1000)).mean(1)
    errors = [diagnostics.standard_error(autoregressive(0.8, (4, 1000)))[0] for _ in range(5)]
    np.testing.assert_allclose(np.mean(errors), means.std() / 2, rtol=0.15)  # of four chains' mean


def test_rank_normalised_are_normal_scores():
    draws = jnp.round(jnp.asarray(RNG.normal(size=(2, 50, 1)), "float32"), 1)
    rank = stats.rankdata(np.asarray(draws).ravel(), "average")
    want = stats.norm.ppf((rank - 0.375) / (100 + 0.25)).reshape(draws.shape)
    np.testing.assert_allclose(diagnostics.rank_normalised(draws), want, atol=1e-5)


def test_rhat_sees_other_places_other_scales_and_drift():
    agreed = autoregressive(0.0)
    assert diagnostics.split_rhat(agreed) < 1.01
    assert diagnostics.split_rhat(agreed.at[0].add(1.0)) > 1.05
    assert diagnostics.split_rhat(agreed.at[0].multiply(3.0)) > 1.05  # means agree: only the folded draws tell
    drifting = agreed + jnp.linspace(-1, 1, 2000)[None, :, None]
    assert diagnostics.scale_reduction(drifting) < 1.01 < diagnostics.split_rhat(drifting)
