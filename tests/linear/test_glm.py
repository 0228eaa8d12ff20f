"""Newton's method finds scikit-learn's and SciPy's maxima, for canonical links and others."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.linear_model import LogisticRegression, PoissonRegressor

from adl.core import until_still
from adl.linear import glm
from adl.measure.representation import softmax_regression

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, D = 300, 4
X = np.concatenate([RNG.normal(size=(N, D)) @ (np.eye(D) + 0.3), np.ones((N, 1))], 1).astype("f")
TRUE = np.array([1.0, -0.8, 0.5, 0.0, 0.3])
PENALTY = np.array([2.0] * D + [0.0], "f")  # the constant is free
CLASSES = (X @ RNG.normal(size=(D + 1, 3)) + RNG.gumbel(size=(N, 3))).argmax(1)
OUTCOMES = {
    "bernoulli": (RNG.uniform(size=N) < 1 / (1 + np.exp(-X @ TRUE))).astype("f"),
    "probit": (RNG.normal(size=N) < X @ TRUE).astype("f"),
    "poisson": RNG.poisson(np.exp(X @ TRUE / 2)).astype("f"),
    "normal": (X @ TRUE + RNG.normal(size=N)).astype("f"),
}
LOG_PROB = {
    "bernoulli": lambda y, eta: stats.bernoulli.logpmf(y, 1 / (1 + np.exp(-eta))),
    "probit": lambda y, eta: stats.norm.logcdf((2 * y - 1) * eta),
    "poisson": lambda y, eta: stats.poisson.logpmf(y, np.exp(eta)),
    "normal": lambda y, eta: stats.norm.logpdf(y, eta),
}


def fit(link, y, penalty=PENALTY, **more):
    return jax.jit(until_still(glm.irls(link, penalty=penalty)))(KEY, {"x": X, "y": y, **more})


@pytest.mark.parametrize("name", OUTCOMES)
def test_is_the_maximum_that_scipy_finds(name):
    y = OUTCOMES[name].astype(float)

    def loss(w):
        return -LOG_PROB[name](y, X.astype(float) @ w).sum() + 0.5 * (PENALTY * w**2).sum()

    found = optimize.minimize(loss, np.zeros(D + 1), method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-8})
    weights, count = fit(getattr(glm, name), OUTCOMES[name])
    np.testing.assert_allclose(weights[:, 0], found.x, atol=1e-3)
    assert count < 15


@pytest.mark.parametrize("name", OUTCOMES)
def test_log_probabilities_are_scipys(name):
    eta = np.linspace(-5, 5, N)
    got = jax.vmap(getattr(glm, name).log_prob)(OUTCOMES[name], jnp.asarray(eta, "float32")[:, None])
    np.testing.assert_allclose(got, LOG_PROB[name](OUTCOMES[name].astype(float), eta), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bernoulli", "poisson", "normal"])
def test_canonical_links_score_what_is_left_over(name):
    """d log p / d eta = y - E[y], and the curvature does not know y."""
    link, eta = getattr(glm, name), jnp.linspace(-2, 2, N)[:, None]
    score = jax.jit(jax.vmap(jax.grad(link.log_prob, 1)))(OUTCOMES[name], eta)
    np.testing.assert_allclose(score[:, 0], OUTCOMES[name] - link.mean(eta), atol=1e-5)
    curvature = jax.jit(jax.hessian(link.log_prob, 1))
    np.testing.assert_allclose(curvature(0.0, eta[0]), curvature(1.0, eta[0]), atol=1e-6)


def test_probits_curvature_is_right_in_the_tails():
    eta = np.array([-8.0, -3.0, 0.0, 3.0])
    hazard = np.exp(stats.norm.logpdf(eta) - stats.norm.logcdf(eta))
    got = jax.jit(jax.vmap(jax.hessian(glm.probit.log_prob, 1), (None, 0)))(1.0, jnp.asarray(eta, "float32")[:, None])
    np.testing.assert_allclose(-got[:, 0, 0], hazard * (hazard + eta), rtol=2e-3)


@pytest.mark.parametrize("count", [89, 90, 1e3, 1e4, 1e8, 1e15])
def test_one_count_however_large_is_its_own_rate(count):
    reach = jax.jit(until_still(glm.irls(glm.poisson)))
    weights, steps = reach(KEY, {"x": np.ones((1, 1), "f"), "y": np.array([count], "f")})
    np.testing.assert_allclose(weights, np.log(count), rtol=1e-5)
    assert steps < 15


@pytest.mark.parametrize("name", ["bernoulli", "probit", "softmax"])
def test_weights_of_separable_classes_grow_until_the_loss_is_none(name):
    link = glm.softmax(2) if name == "softmax" else getattr(glm, name)
    batch = {"x": X, "y": (X[:, 0] > 0).astype(int)}
    weights, _ = jax.jit(until_still(glm.irls(link), max_steps=100))(KEY, batch)
    _, metrics = jax.jit(glm.irls(link).step)(KEY, weights, batch)
    assert np.isfinite(weights).all() and 0 <= metrics["loss"].value < 1e-3


@pytest.mark.parametrize("other", ["a column again", "zeros"])
def test_a_column_that_says_nothing_new_changes_no_prediction(other):
    more = np.concatenate([X, X[:, :1] if other == "a column again" else 0 * X[:, :1]], 1)
    batch = {"x": more, "y": OUTCOMES["bernoulli"]}
    weights, _ = jax.jit(until_still(glm.irls(glm.bernoulli)))(KEY, batch)
    want, _ = fit(glm.bernoulli, OUTCOMES["bernoulli"], penalty=0.0)
    np.testing.assert_allclose(more @ weights, X @ want, atol=1e-3)


def test_logistic_is_scikit_learns():
    theirs = LogisticRegression(C=1 / 2, tol=1e-8, max_iter=1000).fit(X[:, :D].astype(float), OUTCOMES["bernoulli"])
    weights, _ = fit(glm.bernoulli, OUTCOMES["bernoulli"])
    np.testing.assert_allclose(weights[:, 0], [*theirs.coef_[0], *theirs.intercept_], atol=1e-4)
    np.testing.assert_allclose(glm.predict(glm.bernoulli, weights, X), theirs.predict_proba(X[:, :D])[:, 1], atol=1e-4)


def test_poisson_is_scikit_learns():
    theirs = PoissonRegressor(alpha=2 / N, tol=1e-7, max_iter=1000).fit(X[:, :D], OUTCOMES["poisson"])
    weights, _ = fit(glm.poisson, OUTCOMES["poisson"])
    np.testing.assert_allclose(weights[:, 0], [*theirs.coef_, theirs.intercept_], atol=1e-4)


def test_softmax_is_scikit_learns_and_that_of_another_method():
    theirs = LogisticRegression(C=1 / 2, tol=1e-8, max_iter=1000).fit(X[:, :D].astype(float), CLASSES)
    weights, count = fit(glm.softmax(3), CLASSES)
    np.testing.assert_allclose(weights[:D].T, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(weights[D] - weights[D].mean(), theirs.intercept_, atol=1e-4)
    descended = softmax_regression(jnp.asarray(X[:, :D]), jnp.asarray(CLASSES), num_classes=3, l2=2 / N)
    np.testing.assert_allclose(weights[:D], descended.kernel, atol=1e-3)
    assert count < 15


def test_masked_examples_do_not_count():
    mask = (np.arange(N) < 200).astype("f")
    theirs = LogisticRegression(C=1 / 2, tol=1e-8, max_iter=1000).fit(X[:200, :D], OUTCOMES["bernoulli"][:200])
    weights, _ = fit(glm.bernoulli, OUTCOMES["bernoulli"], mask=mask)
    np.testing.assert_allclose(weights[:D, 0], theirs.coef_[0], atol=1e-3)


def test_worked_example():
    assert doctest.testmod(glm) == (0, 3)
    np.testing.assert_allclose(glm.bernoulli.mean(jnp.array([-6.0])), 0.002, atol=5e-4)
