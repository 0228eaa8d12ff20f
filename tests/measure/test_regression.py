"""Scores of regression are scikit-learn's and SciPy's, in the table's own unit; rates are NumPy's slopes."""

import numpy as np
from scipy import stats
from sklearn.metrics import root_mean_squared_error

from adl.measure.rate import power_law
from adl.measure.regression import rmse, scores

RNG = np.random.default_rng(0)


def test_scores_are_those_of_outcomes_in_their_own_unit():
    mean, y = RNG.normal(size=(2, 50)).astype("f")
    unit, std = 77.0, 0.8
    got = scores(stats.norm(mean, std).logpdf(y), mean, y, unit=unit)
    np.testing.assert_allclose(
        got["loss"].value, -stats.norm(unit * mean, unit * std).logpdf(unit * y).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(got["rmse"].value, root_mean_squared_error(unit * y, unit * mean), rtol=1e-5)
    np.testing.assert_allclose(rmse(mean, y), root_mean_squared_error(y, mean), rtol=1e-5)


def test_power_is_the_slope_of_logarithms():
    x = np.array([1.0, 2, 5, 20], "f")
    y = (3 * x**-0.7 * np.exp(0.1 * RNG.normal(size=4))).astype("f")
    np.testing.assert_allclose(power_law(x, y), np.polyfit(np.log(x), np.log(y), 1)[0], rtol=1e-4)
