"""Least squares, ridge, lasso and the LMS rule are NumPy's and scikit-learn's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

from adl.core import jitted
from adl.linear import regression

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, D, M = 120, 6, 3
X = (RNG.normal(size=(N, D)) @ (np.eye(D) + 0.4)).astype("f")
Y = X @ np.array([[2, 0, 0], [0, 1, 0], [0, 0, 0], [-1, 0, 3], [0, 0, 0], [0.5, 0.2, 0]]) + RNG.normal(size=(N, M))
Y = Y.astype("f")


def learned(y=Y, parts=((0, 50), (50, 51), (51, N)), **more):
    alg = jitted(regression.least_squares())
    sums = alg.init(KEY, {"x": X, "y": y})
    for low, high in parts:
        sums, _ = alg.step(KEY, sums, {"x": X[low:high], "y": y[low:high], **more})
    return sums


@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["vectors", "numbers"])
def test_least_squares_is_numpys(y):
    want = np.linalg.lstsq(X.astype(float), y.astype(float), rcond=None)[0]
    np.testing.assert_allclose(regression.ridge_weights(learned(y)), want, atol=1e-4)


def test_all_at_once_is_batch_by_batch():
    for got, want in zip(regression.summed(X, Y), learned(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


def test_a_smoother_fits_whatever_outcomes():
    """Of scikit-learn's ridge regression with a constant that is not penalised."""
    x, new, y = np.vander(np.linspace(-1, 1, 9), 4), np.vander(np.linspace(-1, 1, 5), 4), RNG.normal(size=9)
    free = np.array([1, 1, 1, 0], "f")
    rows = regression.smoother(x.astype("f"), new.astype("f"), 0.3 * free)
    theirs = Ridge(0.3).fit(x[:, :3], y)
    np.testing.assert_allclose(rows @ y.astype("f"), theirs.predict(new[:, :3]), atol=1e-4)


def test_of_many_answers_the_shortest():
    """Fewer examples than weights."""
    want = np.linalg.lstsq(X[:4].astype(float), Y[:4].astype(float), rcond=None)[0]
    np.testing.assert_allclose(regression.ridge_weights(learned(parts=((0, 4),))), want, atol=1e-3)


@pytest.mark.parametrize("penalty", [0.1, 10.0, 1000.0])
def test_ridge_is_scikit_learns(penalty):
    want = Ridge(alpha=penalty, fit_intercept=False).fit(X.astype(float), Y).coef_.T
    np.testing.assert_allclose(regression.ridge_weights(learned(), penalty), want, atol=1e-4)


def test_constant_may_go_free():
    x = np.concatenate([X, np.ones((N, 1), "f")], 1)
    alg = regression.ridge(jnp.array([5.0] * D + [0.0]))
    batch = {"x": x, "y": Y + 7}
    sums, _ = alg.step(KEY, alg.init(KEY, batch), batch)
    theirs = Ridge(alpha=5.0).fit(X.astype(float), Y + 7)
    got = regression.ridge_weights(sums, jnp.array([5.0] * D + [0.0]))
    np.testing.assert_allclose(got, np.concatenate([theirs.coef_.T, theirs.intercept_[None]]), atol=1e-3)


@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.5])
def test_lasso_is_scikit_learns(alpha):
    theirs = Lasso(alpha=alpha, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(X.astype(float), Y[:, 0])
    got, count = jax.jit(regression.lasso_weights)(learned(Y[:, 0]), alpha * N)
    np.testing.assert_allclose(got, theirs.coef_, atol=1e-4)
    np.testing.assert_array_equal(got == 0, theirs.coef_ == 0)
    assert count < 200


def test_lasso_is_zero_from_the_largest_projection_on():
    sums = learned(Y[:, 0])
    largest = jnp.abs(sums.projection()).max()
    assert (regression.lasso_weights(sums, 1.0001 * largest)[0] == 0).all()
    assert (regression.lasso_weights(sums, 0.99 * largest)[0] != 0).sum() == 1


def test_masked_examples_do_not_count():
    mask = (np.arange(N) < 30).astype("f")
    got = learned(parts=((0, N),), mask=mask)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), got, learned(parts=((0, 30),)))


def test_lms_is_the_rule_and_ends_at_least_squares():
    alg = jitted(regression.lms(0.01))
    state = alg.init(KEY, {"x": X, "y": Y})
    w = np.zeros((D, M))
    for i in range(50):
        state, _ = alg.step(KEY, state, {"x": X[i : i + 1], "y": Y[i : i + 1]})
        w += 0.01 * np.outer(X[i], Y[i] - X[i] @ w)
    np.testing.assert_allclose(state, w, rtol=1e-3, atol=1e-4)
    alg = jitted(regression.lms(0.1))
    for _ in range(2000):
        state, _ = alg.step(KEY, state, {"x": X, "y": Y})
    np.testing.assert_allclose(state, np.linalg.lstsq(X.astype(float), Y, rcond=None)[0], atol=1e-3)
