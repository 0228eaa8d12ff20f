"""Diagnostics equal BlackJAX's, follow from closed forms, and see what chains do wrong."""

import importlib
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from blackjax import diagnostics as blackjax
from scipy import stats

from adl.sampling import diagnostics

RNG = np.random.default_rng(0)


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


@pytest.mark.full  # ArviZ's are asked by default
@pytest.mark.parametrize("name", DRAWS)
def test_diagnostics_are_blackjaxs(name):
    draws = DRAWS[name]
    with jax.numpy_rank_promotion("allow"):
        rhat, ess = (np.reshape(of(draws), draws.shape[2:]) for of in (blackjax.rhat, blackjax.ess_bulk))
    np.testing.assert_allclose(diagnostics.split_rhat(draws), rhat, rtol=1e-4)
    # BlackJAX caps a last even lag that ArviZ and these do not, which tells where the sum of lags is small.
    np.testing.assert_allclose(diagnostics.bulk_ess(draws), ess, rtol=0.1 if name == "antithetic" else 0.02)


TAIL = {"method": "tail", "prob": (0.05, 0.95)}  # ArviZ 1 has no default


@pytest.fixture(scope="module")
def arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its next version
        return importlib.import_module("arviz")


@pytest.mark.parametrize("name", ["independent", "slow", "antithetic", "ties", "apart", "one chain"])
def test_diagnostics_are_arvizs(name, arviz):
    """In float32 here, in double precision there; of one chain it has no R-hat."""
    draws = DRAWS[name]
    x = np.asarray(draws[..., 0], float)
    pairs = {
        **({"R-hat": (diagnostics.split_rhat, arviz.rhat(x))} if len(x) > 1 else {}),
        "bulk": (diagnostics.bulk_ess, arviz.ess(x, method="bulk")),
        "tail": (diagnostics.tail_ess, arviz.ess(x, **TAIL)),
        "error": (diagnostics.standard_error, arviz.mcse(x, method="mean")),
    }
    for what, (of, want) in pairs.items():
        np.testing.assert_allclose(of(draws)[0], want, rtol=5e-3, err_msg=what)
    away = x[0] - x[0].mean()
    lags = np.correlate(away, away, "full")[len(away) - 1 :]
    np.testing.assert_allclose(diagnostics.autocorrelation(draws)[0, :, 0], lags / lags[0], atol=1e-4)


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


def test_z_scores_are_normal_where_chains_have_mixed_and_see_a_wrong_mean():
    draws = autoregressive(0.5, (4, 1000 * 200), np.random.default_rng(1)).reshape(4, 200, 1000, 1).swapaxes(1, 2)
    z = diagnostics.z_scores(draws[..., 0], jnp.zeros(200))
    assert stats.kstest(np.asarray(z), "norm").pvalue > 0.01
    error = diagnostics.standard_error(draws[..., 0])
    np.testing.assert_allclose(diagnostics.z_scores(draws[..., 0], 5 * error), z - 5, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(diagnostics.z_scores(draws[..., 0], jnp.zeros(200), error), z / np.sqrt(2), rtol=1e-3)


def test_draws_are_judged_by_their_worst():
    draws = jnp.concatenate([DRAWS["independent"], 2 * DRAWS["slow"] + 3], -1)
    known = jnp.array([0.0, 3.0]), jnp.array([1.0, 4.0])
    fair = diagnostics.judged(draws, *known)
    assert fair.z < 4 and fair.rhat == diagnostics.split_rhat(draws).max()
    deviations = (draws - known[0][None, None]) ** 2
    worth = [diagnostics.effective_sample_size(diagnostics.split(x)) for x in (draws, deviations)]
    np.testing.assert_allclose(fair.ess, np.min(worth), rtol=1e-5)
    shifted = diagnostics.judged(draws, known[0].at[1].add(4.0), known[1])
    wider = diagnostics.judged(draws, known[0], known[1].at[0].add(1.0))
    assert shifted.z > 5 and wider.z > 5


def two_valued(share: float, rho: float = 0.98) -> np.ndarray:
    """Four sticky chains of 2,000 draws of 0 and 1, of which so large a share is 1."""
    return (autoregressive(rho, (4, 2000, 1)) < stats.norm.ppf(share)).astype("float32")


MOVING = autoregressive(0.8, (4, 500))
NEVER = {
    "constant": jnp.full((4, 100, 1), 0.1),
    "constant, far": jnp.full((4, 100, 1), 1e4 + 0.1),
    "short": MOVING[:, :3],
    "one draw": MOVING[:, :1],
    "nan": MOVING.at[2, 7].set(jnp.nan),
}
SEEN = (diagnostics.split_rhat, diagnostics.bulk_ess, diagnostics.tail_ess, diagnostics.standard_error)
OF_DRAWS = {of.__name__: of for of in SEEN}


@pytest.mark.parametrize("of", OF_DRAWS)
@pytest.mark.parametrize("name", NEVER)
def test_of_draws_that_tell_nothing_every_diagnostic_is_nan(name, of):
    assert np.isnan(OF_DRAWS[of](NEVER[name])).all()


def test_of_draws_that_never_move_nothing_is_judged():
    judged = diagnostics.judged(NEVER["constant"], jnp.zeros(1), jnp.ones(1))
    assert all(np.isnan(leaf) for leaf in judged)
    assert np.isnan(diagnostics.z_scores(NEVER["constant"], jnp.full(1, 0.1)))
    assert np.isnan(diagnostics.effective_sample_size(NEVER["constant"]))
    assert np.isnan(diagnostics.autocorrelation(NEVER["constant"])).all()


@pytest.mark.parametrize("share", [0.5, 0.97, 0.03])
def test_tails_of_two_values_are_worth_what_the_values_are(share):
    """Not more than are in the chain: where all draws lie at or below a quantile, those below it are asked."""
    draws = two_valued(share)
    np.testing.assert_allclose(diagnostics.tail_ess(draws), diagnostics.bulk_ess(draws), rtol=0.02)
    assert diagnostics.tail_ess(draws) < 800


@pytest.mark.parametrize("place, scale", [(1e4, 1.0), (0.0, 1e15), (0.0, 1e-15), (-1e3, 1e-1)])
def test_diagnostics_are_arvizs_at_any_place_and_scale(place, scale, arviz):
    draws = place + scale * MOVING
    x = np.asarray(draws[..., 0], float)
    np.testing.assert_allclose(diagnostics.split_rhat(draws)[0], arviz.rhat(x), rtol=1e-4)
    np.testing.assert_allclose(diagnostics.bulk_ess(draws)[0], arviz.ess(x, method="bulk"), rtol=5e-3)
    np.testing.assert_allclose(diagnostics.tail_ess(draws)[0], arviz.ess(x, **TAIL), rtol=5e-3)
    np.testing.assert_allclose(diagnostics.standard_error(draws)[0], arviz.mcse(x, method="mean"), rtol=5e-3)
    variances = [diagnostics.autocovariance(draws)[:, 0, 0] / scale / scale, (x / scale).var(1)]
    np.testing.assert_allclose(*variances, rtol=1e-3)


def test_infinite_draws_have_ranks(arviz):
    draws = MOVING.at[1, 3].set(jnp.inf)
    x = np.asarray(draws[..., 0], float)
    np.testing.assert_allclose(diagnostics.bulk_ess(draws)[0], diagnostics.bulk_ess(MOVING.at[1, 3].set(99.0))[0])
    np.testing.assert_allclose(diagnostics.bulk_ess(draws)[0], arviz.ess(x, method="bulk"), rtol=5e-3)
    assert np.isnan(diagnostics.standard_error(draws)).all()
