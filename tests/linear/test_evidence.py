"""The evidence is SciPy's density of the data, and its maximum is scikit-learn's."""

import jax
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import BayesianRidge

from adl.linear.bayes import bayesian_regression, known_noise
from adl.linear.evidence import evidence, learned, maximise, predict

RNG = np.random.default_rng(0)
N, D = 80, 5
X = (RNG.normal(size=(N, D)) @ (np.eye(D) + 0.3)).astype("f")
Y = (X @ RNG.normal(size=D) + 0.7 * RNG.normal(size=N)).astype("f")


@pytest.fixture(scope="module", params=[1e-3, 2.0])
def seen(request):
    alg, batch = bayesian_regression(known_noise(1.0), prior_precision=request.param), {"x": X, "y": Y}
    posterior, _ = alg.step(jax.random.key(0), alg.init(jax.random.key(0), batch), batch)
    return posterior, {"prior_precision": request.param}


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.1, 2.0), (30.0, 0.5)])
def test_is_scipys_density(seen, a, b):
    posterior, prior = seen
    law = stats.multivariate_normal(cov=np.eye(N) / b + X.astype(float) @ X.T.astype(float) / a)
    got = evidence(posterior, a, b, **prior)
    np.testing.assert_allclose(got.log_evidence, law.logpdf(Y), rtol=1e-4)
    eigenvalues = np.linalg.eigvalsh(X.T.astype(float) @ X)
    np.testing.assert_allclose(got.determined, (b * eigenvalues / (a + b * eigenvalues)).sum(), rtol=1e-4)
    np.testing.assert_allclose(
        got.mean, np.linalg.solve(a / b * np.eye(D) + X.T.astype(float) @ X, X.T.astype(float) @ Y), atol=1e-4
    )


def test_maximum_is_scikit_learns(seen):
    posterior, prior = seen
    flat = {"alpha_1": 0, "alpha_2": 0, "lambda_1": 0, "lambda_2": 0}
    theirs = BayesianRidge(fit_intercept=False, tol=1e-10, max_iter=1000, compute_score=True, **flat)
    theirs.fit(X.astype(float), Y)
    got = jax.jit(lambda p: maximise(p, **prior))(posterior)
    np.testing.assert_allclose(got.weight_precision, theirs.lambda_, rtol=1e-3)
    np.testing.assert_allclose(got.noise_precision, theirs.alpha_, rtol=1e-3)
    np.testing.assert_allclose(got.mean, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(got.log_evidence, theirs.scores_[-1], rtol=1e-4)


@pytest.mark.parametrize("prior_precision", [1e-3, 2.0])
def test_predictions_are_scikit_learns(prior_precision):
    """Whatever precision the posterior was begun with."""
    flat = {"alpha_1": 0, "alpha_2": 0, "lambda_1": 0, "lambda_2": 0}
    theirs = BayesianRidge(fit_intercept=False, tol=1e-10, max_iter=1000, **flat).fit(X.astype(float), Y)
    posterior = learned(X, Y, prior_precision=prior_precision)
    best = maximise(posterior, prior_precision=prior_precision)
    got = predict(posterior, best, X[:9] + 1, prior_precision=prior_precision)
    mean, std = theirs.predict(X[:9].astype(float) + 1, return_std=True)
    np.testing.assert_allclose(got.mean, mean, atol=1e-3)
    np.testing.assert_allclose(got.scale, std, rtol=1e-3)
