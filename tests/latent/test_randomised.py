"""Randomised principal components, held to the published algorithm from the same plane, and to scikit-learn's."""

import jax
import numpy as np
from sklearn.decomposition import PCA

from adl.core import jitted
from adl.latent.randomised import leading, randomised_pca

RNG = np.random.default_rng(1)
N, D, Z, OVER = 300, 40, 5, 5
X = (RNG.normal(size=(N, D)) * 0.85 ** np.arange(D) @ np.linalg.qr(RNG.normal(size=(D, D)))[0] + 10).astype("f")
ALG = jitted(randomised_pca(Z, num_oversamples=OVER))


def halko(x: np.ndarray, omega: np.ndarray, num_powers: int) -> tuple[np.ndarray, np.ndarray]:
    """Algorithms 4.3 and 5.1 as published, in float64."""
    a = x.astype(float) - x.astype(float).mean(0)
    y = a @ omega
    for _ in range(num_powers):
        y = a @ (a.T @ y)
    q, _ = np.linalg.qr(y)
    _, singular, basis = np.linalg.svd(q.T @ a, full_matrices=False)
    return singular**2 / (len(x) - 1), basis.T


def test_steps_are_those_of_the_paper():
    state = ALG.init(jax.random.key(0), {"x": X})
    omega = np.array(state.basis, float)
    for num_powers in range(3):
        state, _ = ALG.step(jax.random.key(1), state, {"x": X})
        variance, basis = halko(X, omega, num_powers)
        np.testing.assert_allclose(state.variance, variance, rtol=1e-4)
        cosines = np.abs((np.asarray(state.basis) * basis).sum(0))[:Z]
        np.testing.assert_allclose(cosines, 1, atol=1e-4)


def test_they_end_at_scikit_learns():
    theirs = PCA(Z, svd_solver="full").fit(X.astype(float))
    state = ALG.init(jax.random.key(2), {"x": X})
    for _ in range(25):
        state, metrics = ALG.step(jax.random.key(1), state, {"x": X})
    found = leading(state, Z)
    np.testing.assert_allclose(found.variance, theirs.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(found.variance / found.total, theirs.explained_variance_ratio_, rtol=1e-4)
    sign = np.sign((np.asarray(found.basis) * theirs.components_.T).sum(0))
    np.testing.assert_allclose(np.asarray(found.basis) * sign, theirs.components_.T, atol=2e-4)
    all_directions = PCA(Z + OVER).fit(X.astype(float))
    rest = (X.astype(float).var(0, ddof=1).sum() - all_directions.explained_variance_.sum()) * (N - 1) / N
    np.testing.assert_allclose(metrics["loss"].value, rest, rtol=1e-3)


def test_points_of_low_rank_leave_nothing():
    """Fewer directions than are asked for: what is left is rounding, and no direction is nan."""
    low = (RNG.normal(size=(50, 3)) @ RNG.normal(size=(3, 8))).astype("f")
    alg = jitted(randomised_pca(2, num_oversamples=4))
    state = alg.init(jax.random.key(0), {"x": low})
    for _ in range(3):
        state, metrics = alg.step(jax.random.key(1), state, {"x": low})
    assert np.isfinite(state.basis).all()
    np.testing.assert_allclose(state.variance[3:], 0, atol=1e-4)
    np.testing.assert_allclose(state.basis.T @ state.basis, np.eye(6), atol=1e-5)
    assert abs(float(metrics["loss"].value)) < 1e-3
