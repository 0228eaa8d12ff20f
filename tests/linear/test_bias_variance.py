"""The parts of the error are what the closed form of a linear fit says they are."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import jitted
from adl.linear.bias_variance import ErrorParts, compared, decomposition, of_linear_fits, parts

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, NOISE, PENALTIES = 20, 0.5, (0.1, 3.0)
X = np.linspace(0, 1, N)
PHI = np.vander(X, 5, increasing=True)
TRUTH = np.sin(2 * np.pi * X)
SMOOTHERS = np.stack([PHI @ np.linalg.solve(PHI.T @ PHI + p * np.eye(5), PHI.T) for p in PENALTIES])


def learned(num_sets, batch_size):
    y = (TRUTH + NOISE * RNG.normal(size=(num_sets, N))).astype("f")
    alg = jitted(decomposition(lambda d: jnp.asarray(SMOOTHERS, "float32") @ d["y"], jnp.asarray(TRUTH, "float32")))
    state, total = alg.init(KEY, {"y": y[:1]}), 0.0
    for low in range(0, num_sets, batch_size):
        state, metrics = alg.step(KEY, state, {"y": y[low : low + batch_size]})
        total = total + metrics["loss"].total
    return state, total / (num_sets * 2 * N), y


def test_parts_are_those_of_the_closed_form():
    got = parts(learned(4000, 1000)[0])
    bias2 = (SMOOTHERS @ TRUTH - TRUTH) ** 2
    variance = NOISE**2 * (SMOOTHERS**2).sum(-1)
    np.testing.assert_allclose(got.variance, variance, rtol=0.12)
    np.testing.assert_allclose(got.bias2.mean(-1), bias2.mean(-1), rtol=0.05)


def test_parts_add_up_to_the_error():
    state, error, y = learned(50, 10)
    got = parts(state)
    predictions = np.einsum("vtn,ln->lvt", SMOOTHERS, y)
    np.testing.assert_allclose(got.variance, predictions.var(0, ddof=1), rtol=1e-3)
    # E (f - h)^2 = (mean f - h)^2 + var of these, without the corrections of the two for finitely many data sets
    np.testing.assert_allclose((got.bias2 + got.variance).mean(), error, rtol=1e-4)
    np.testing.assert_allclose(error, ((predictions - TRUTH) ** 2).mean(), rtol=1e-4)


def test_closed_form_is_numpys():
    got = of_linear_fits(*(jnp.asarray(z, "float32") for z in (SMOOTHERS, TRUTH + 0.1, TRUTH)), NOISE)
    np.testing.assert_allclose(got.bias2, (SMOOTHERS @ (TRUTH + 0.1) - TRUTH) ** 2, atol=1e-5)
    np.testing.assert_allclose(got.variance, NOISE**2 * (SMOOTHERS**2).sum(-1), rtol=1e-4)


def test_comparison_is_of_means_over_places():
    exact = ErrorParts(jnp.array([[1.0, 3], [0, 1]]), jnp.array([[1.0, 1], [2, 2]]))  # sums of 3 and 2.5
    counted = ErrorParts(jnp.array([[1.0, 2], [1, 1]]), jnp.array([[0.5, 0.5], [2, 2.5]]))  # of 2 and 3.25
    got = compared(counted, exact)
    want = {"best": 1, "bias2": 1, "variance": 2.25, "loss": 3.25, "gap": 0.5 / 2.5, "excess": 3 / 2.5}
    assert {name: round(float(value), 6) for name, value in got.items()} == want


def test_a_small_variance_is_not_lost_beside_a_large_bias():
    fits = (1e4 + 0.1 * RNG.normal(size=(40, 3))).astype("f")
    alg = jitted(decomposition(lambda fit: fit, jnp.zeros(3)))
    state = alg.init(KEY, fits)
    for low in (0, 10, 20, 30):
        state, _ = alg.step(KEY, state, fits[low : low + 10])
    np.testing.assert_allclose(parts(state).variance, fits.astype(float).var(0, ddof=1), rtol=5e-3)
    one = parts(alg.step(KEY, alg.init(KEY, fits[:1]), fits[:1])[0])
    assert np.isnan(one.variance).all()
