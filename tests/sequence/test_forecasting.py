"""Forecasts move and stretch with their series, and plain ones are what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from adl import data
from adl.core import Learner, average_params
from adl.data.series import Made, cut_windows, made_series
from adl.measure.forecast import crps, forecast_scores
from adl.nn.sequence_classifier import SequenceClassifier
from adl.sequence import causal, forecasting

RNG = np.random.default_rng(0)
SPLIT = cut_windows(RNG.normal(size=(40, 12)).astype("f"), 8, 4)


@pytest.fixture(scope="module")
def model():
    read = SequenceClassifier(causal.causal_layers("lru", num_layers=1, width=4), 4 * 10, 4, summary="last")
    model = forecasting.Forecaster(read, 4)
    return model, model.init(jax.random.key(0), jnp.zeros((1, 8)))


def test_a_forecast_is_in_the_unit_of_its_series(model):
    past = jnp.asarray(SPLIT.arrays["past"])
    told = forecasting.forecast(*model, past)
    np.testing.assert_allclose(forecasting.forecast(*model, 100 + 7 * past), 100 + 7 * told, rtol=1e-3)
    assert told.shape == (40, 4, 10) and (np.diff(told, axis=-1) >= 0).all()
    assert np.isfinite(forecasting.forecast(*model, 5 + 0 * past)).all()


def test_plain_forecasts_are_as_they_are_called():
    found = plain(SPLIT, SPLIT).arrays
    past, future = SPLIT.arrays["past"], SPLIT.arrays["future"]
    mean, deviation = past.mean(1, keepdims=True), past.std(1, keepdims=True)
    x, y = (past - mean) / deviation, (future - mean) / deviation
    ridge = Ridge(1.0, fit_intercept=False).fit(x, y).predict(x)
    for name, way in {"naive": x[:, -1:].repeat(4, 1), "seasonal": x[:, 4:], "ridge": ridge}.items():
        about = np.quantile(y - way, np.arange(0.05, 1, 0.1), axis=0).T
        want = mean[..., None] + deviation[..., None] * (way[..., None] + about)
        np.testing.assert_allclose(found[name], want, atol=1e-4, err_msg=name)


def test_of_an_autoregression_ridge_is_as_good_as_can_be():
    """Errors one step ahead have the deviation of what is new in the noise; nine of ten are within the band."""
    made = Made(slope=0, waves=0, shift=0, noise=1.0, spread=0, lasting=0.8)
    train, test = (cut_windows(made_series(3000, 20, made, seed=i), 16, 4) for i in range(2))
    split = plain(train, test)
    wrong = np.median(split.arrays["ridge"], -1)[:, 0] - test.arrays["future"][:, 0]
    assert 0.97 < wrong.std() < 1.08
    told = forecasting.judged_forecasts({}, split, period=4)(jax.random.key(0), {})
    assert 0.88 < told["ridge_coverage"].value < 0.92
    assert told["ridge_scrps"].value < told["naive_scrps"].value < told["seasonal_scrps"].value


def test_a_network_s_numbers_are_those_of_its_quantiles(model):
    """Padded windows and all."""
    split = plain(SPLIT, data.Split(SPLIT.take(np.arange(37))))
    state = {"lru": Learner.create(model[1], average_params(0.9))}
    told = jax.jit(forecasting.judged_forecasts({"lru": model[0]}, split, period=4))(jax.random.key(0), state)
    past, future = split.arrays["past"], split.arrays["future"]
    again = forecast_scores(told["lru_quantiles"], jnp.asarray(past), jnp.asarray(future), period=4)
    for name, mean in again.items():
        np.testing.assert_allclose(told[f"lru_{name}"].value, mean.value, rtol=1e-5)
    np.testing.assert_allclose(told["loss"].value, told["lru_scrps"].value)
    loss = forecasting.quantile_loss(told["lru_quantiles"], jnp.asarray(future))["loss"].value
    np.testing.assert_allclose(2 * loss, crps(told["lru_quantiles"], jnp.asarray(future)).mean(), rtol=1e-5)
    said = forecasting.says(model[0], "lru")(jax.random.key(0), state, jnp.asarray(past))
    assert [said.shape[1], past.shape[1]] == [len(names) for names in forecasting.window_columns(8, 4, 10)][::-1]


def plain(train: data.Split, test: data.Split) -> data.Split:
    return forecasting.with_plain_forecasts(train, test, period=4, num_quantiles=10)
