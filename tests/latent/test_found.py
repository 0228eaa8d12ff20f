"""Principal components of fewer points than dimensions are those of the covariance, which is never formed."""

import numpy as np

from adl.latent import principal

X = (np.random.default_rng(0).normal(size=(12, 40)) * np.linspace(1, 3, 40)).astype("f")


def test_few_points_have_the_components_of_their_covariance():
    found = principal.found(X, 5)
    covariance = np.cov(X.astype(float), rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    np.testing.assert_allclose(found.variance, values[::-1][:5], rtol=1e-4)
    np.testing.assert_allclose(abs(np.asarray(found.basis).T @ vectors[:, ::-1][:, :5]), np.eye(5), atol=1e-4)
    np.testing.assert_allclose(found.total, np.trace(covariance), rtol=1e-5)
    np.testing.assert_allclose(found.mean, X.mean(0), atol=1e-6)
