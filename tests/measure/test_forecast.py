"""Scores of forecasts against SciPy's integrals, scikit-learn's losses and what they are by definition."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss

from adl.measure import forecast

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_pinball_is_scikit_learn_s(level):
    said, y = RNG.normal(size=(2, 50))
    want = mean_pinball_loss(y, said, alpha=level)
    np.testing.assert_allclose(forecast.pinball(said, y, level).mean(), want, rtol=1e-5)


@pytest.mark.parametrize("y", [-3.0, 0.1, 4.0])
def test_crps_is_the_integral_over_the_distribution_of_its_outcomes(y):
    members = RNG.normal(size=7)

    def gap(z):
        return ((members <= z).mean() - (y <= z)) ** 2

    want = integrate.quad(gap, -6, 6, points=sorted([*members, y]), limit=200)[0]
    np.testing.assert_allclose(forecast.crps(jnp.array(members), jnp.array(y)), want, rtol=1e-4)
    pairs = np.abs(members[:, None] - members[None]).mean() / 2  # and eq. 21
    np.testing.assert_allclose(np.abs(members - y).mean() - pairs, want, rtol=1e-4)


def test_of_many_quantiles_of_a_normal_it_is_the_normal_s():
    """The closed form: Gneiting & Raftery 2007, section 4.2."""
    z = np.array([-1.0, 0.3, 2.0])
    quantiles = stats.norm.ppf(forecast.quantile_levels(2000).astype(float))
    want = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    told = forecast.crps(jnp.broadcast_to(jnp.array(quantiles), (3, 2000)), jnp.array(z))
    np.testing.assert_allclose(told, want, atol=2e-3)


def test_the_last_season_has_an_error_of_one():
    """Of a walk from season to season, whose steps ahead are as those before."""
    y = RNG.normal(size=(4000, 12)).reshape(4000, 4, 3).cumsum(1).reshape(4000, 12)
    past, future = y[:, :9], y[:, 9:]
    told = forecast.forecast_scores(
        jnp.asarray(past[:, -3:, None] + 0 * np.arange(2)), jnp.asarray(past), jnp.asarray(future), period=3
    )
    scale = np.abs(past[:, 3:] - past[:, :-3]).mean(1)
    want = (np.abs(future - past[:, -3:]).mean(1) / scale).mean()
    np.testing.assert_allclose([told["mase"].value, told["scrps"].value], want, rtol=1e-4)
    assert told["coverage"].value == 0 and 0.9 < want < 1.2
    assert forecast.covered(jnp.array([[2.0, 1.0]]), jnp.array([1.5])) == 1


def test_what_repeats_itself_exactly_has_no_scale_and_padding_no_weight():
    past = jnp.array([[1.0, 1, 1], [0, 1, 0], [9, 0, 3]])
    future, weight = jnp.zeros((3, 1)), jnp.array([1.0, 1, 0])
    told = forecast.forecast_scores(jnp.ones((3, 1, 2)), past, future, period=1, weight=weight)
    assert told["mase"].count == 1 and told["mase"].value == 1 and told["coverage"].count == 2
