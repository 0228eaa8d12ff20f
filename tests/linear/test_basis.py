"""Basis functions are NumPy's, SciPy's and the formulas'."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.special import expit

from adl.linear import basis

X = np.linspace(-1, 1, 41).astype("f")
CENTRES = np.linspace(-1, 1, 5).astype("f")


def test_polynomial_is_vandermondes_matrix():
    np.testing.assert_allclose(basis.polynomial(X, 4), np.vander(X, 5, increasing=True), atol=1e-6)


def test_bumps_and_steps():
    z = (X[:, None] - CENTRES) / 0.3
    np.testing.assert_allclose(basis.gaussian(X, CENTRES, 0.3), np.exp(-(z**2) / 2), atol=1e-6)
    np.testing.assert_allclose(basis.sigmoid(X, CENTRES, 0.3), expit(z), atol=1e-6)


def test_waves_are_orthogonal_over_a_period():
    x = 3 + np.arange(64, dtype="f") * 2.5 / 64
    waves = np.asarray(basis.fourier(x, 3, 2.5))
    np.testing.assert_allclose(waves.T @ waves, 64 * np.diag([1, *[0.5] * 6]), atol=1e-3)
    np.testing.assert_allclose(waves[:, 4], np.sin(4 * np.pi * x / 2.5), atol=1e-4)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["clamped", "uneven"])
def test_splines_are_scipys(degree, kind):
    inner = np.array([-1, -0.6, 0.1, 0.2, 1], "f")
    knots = np.asarray(basis.clamped(jnp.asarray(inner), degree)) if kind == "clamped" else np.linspace(-2.5, 2.5, 11)
    knots = knots.astype("f")
    got = basis.spline(X, knots, degree)
    eye = np.eye(len(knots) - degree - 1)
    want = np.stack([BSpline(knots.astype(float), row, degree, extrapolate=False)(X) for row in eye], 1)
    np.testing.assert_allclose(got[1:-1], np.nan_to_num(want)[1:-1], atol=1e-5)
    if kind == "clamped":
        np.testing.assert_allclose(got.sum(1), 1, atol=1e-5)  # at the right end, too
        assert basis.spline(np.float32(1.5), knots, degree).sum() == 0


@pytest.mark.parametrize(
    "features",
    [
        lambda x: basis.polynomial(x, 3),
        lambda x: basis.gaussian(x, CENTRES, 0.5),
        lambda x: basis.sigmoid(x, CENTRES, 0.5),
        lambda x: basis.fourier(x, 2, 2.0),
        lambda x: basis.spline(x, CENTRES, 2),
    ],
)
def test_leading_axes_stay(features):
    table = features(X[:40].reshape(8, 5))
    np.testing.assert_allclose(table.reshape(40, -1), features(X[:40]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table[3, 2], features(X[17]), rtol=1e-5, atol=1e-6)


def test_the_constant_comes_last_and_numpys_stays_numpys():
    got = basis.with_one(X[:6].reshape(3, 2))
    assert isinstance(got, np.ndarray) and got.dtype == np.float32
    np.testing.assert_array_equal(got, np.pad(X[:6].reshape(3, 2), ((0, 0), (0, 1)), constant_values=1))
    np.testing.assert_array_equal(basis.with_one(jnp.asarray(X[:6]).reshape(3, 2)), got)
