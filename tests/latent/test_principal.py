"""Principal components, held to scikit-learn's; and to themselves, whatever the batches."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import decomposition
from sklearn.decomposition._pca import _assess_dimension

from adl.core import jitted
from adl.latent import principal
from adl.prob import moments

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, D, Z = 600, 12, 4
# Variances well apart, directions at an angle, far from the origin.
X = (RNG.normal(size=(N, D)) * 0.7 ** np.arange(D) @ np.linalg.qr(RNG.normal(size=(D, D)))[0] * 3 + 20).astype("f")
THEIRS = decomposition.PCA(Z, svd_solver="full").fit(X.astype(float))


def fitted(batches: list[dict]) -> principal.Components:
    alg = jitted(principal.pca(Z))
    state = alg.init(KEY, batches[0])
    for batch in batches:
        state, _ = alg.step(KEY, state, batch)
    return jax.tree.map(np.asarray, jax.jit(lambda state: principal.components(state, Z))(state))


def signs(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.sign((np.asarray(ours) * theirs).sum(0))


@pytest.fixture(scope="module")
def whole() -> principal.Components:
    return fitted([{"x": X}])


def test_components_are_scikit_learns(whole):
    sign = signs(whole.basis, THEIRS.components_.T)
    np.testing.assert_allclose(whole.mean, THEIRS.mean_, rtol=1e-6)
    np.testing.assert_allclose(whole.variance, THEIRS.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(whole.variance / whole.total, THEIRS.explained_variance_ratio_, rtol=1e-4)
    np.testing.assert_allclose(whole.basis * sign, THEIRS.components_.T, atol=1e-4)
    codes = THEIRS.transform(X)
    np.testing.assert_allclose(np.asarray(principal.encode(whole, X)) * sign, codes, atol=1e-4 * codes.std(0).max())
    np.testing.assert_allclose(
        principal.decode(whole, principal.encode(whole, X)), THEIRS.inverse_transform(codes), atol=1e-4
    )


def test_components_at_once_are_those_of_the_moments(whole):
    found = jax.jit(lambda x: principal.found(x, Z))(X)
    np.testing.assert_allclose(found.variance, whole.variance, rtol=1e-5)
    basis = np.asarray(found.basis)
    np.testing.assert_allclose(basis * signs(basis, whole.basis), whole.basis, atol=1e-4)


def test_whitened_coordinates_are_scikit_learns(whole):
    want = decomposition.PCA(Z, whiten=True, svd_solver="full").fit_transform(X.astype(float))
    got = np.asarray(principal.whiten(whole, X))
    np.testing.assert_allclose(got * signs(got, want), want, atol=1e-4 * np.abs(want).max())
    np.testing.assert_allclose(np.cov(np.asarray(got, float).T), np.eye(Z), atol=1e-4)


def test_any_split_gives_the_same(whole):
    bounds = [0, 7, 100, 350, 600]
    parts = [X[a:b] for a, b in itertools.pairwise(bounds)]
    size = max(map(len, parts))  # all of one shape: one trace

    def padded(part):
        beyond = size - len(part)
        rows = np.concatenate([part, np.full((beyond, D), 1e3, "f")])
        return {"x": rows, "mask": np.r_[np.ones(len(part)), np.zeros(beyond)].astype("f")}

    split = fitted([padded(part) for part in parts])
    np.testing.assert_allclose(split.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(split.variance, whole.variance, rtol=1e-4)
    np.testing.assert_allclose(split.basis * signs(split.basis, whole.basis), whole.basis, atol=1e-4)


def test_weights_are_repetitions():
    count = RNG.integers(0, 4, N)
    got = moments.of(X, jnp.asarray(count, jnp.float32))
    repeated = np.repeat(X, count, 0).astype(float)
    np.testing.assert_allclose(got.mean, repeated.mean(0), rtol=1e-6)
    np.testing.assert_allclose(got.covariance(), np.cov(repeated.T, bias=True), rtol=1e-3, atol=1e-4)


def test_loss_is_the_squared_distance_to_the_plane(whole):
    alg = jitted(principal.pca(Z))
    state = alg.init(KEY, {"x": X})
    for _ in range(2):
        state, metrics = alg.step(KEY, state, {"x": X})
    left = X - THEIRS.inverse_transform(THEIRS.transform(X))
    np.testing.assert_allclose(metrics["loss"].value, np.square(left).sum(1).mean(), rtol=1e-4)
    np.testing.assert_allclose(left.var(0).sum() * N / (N - 1), whole.total - whole.variance.sum(), rtol=1e-4)


def test_likelihoods_by_dimension_are_scikit_learns():
    seen = moments.of(X, jnp.ones(N))
    got = jax.jit(lambda seen: principal.log_probs(principal.components(seen, D), X).mean(0))(seen)
    want = [decomposition.PCA(z, svd_solver="full").fit(X.astype(float)).score(X.astype(float)) for z in range(1, D)]
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_evidence_is_scikit_learns():
    """Minka's, by their own function for one number of components; and the number that they infer."""
    evidence = jax.jit(principal.log_evidence)
    spectrum = np.sort(RNG.gamma(1.0, size=D) + np.arange(D) / 10 + 0.1)[::-1]
    got = evidence(jnp.asarray(spectrum, jnp.float32), 500.0)
    want = [_assess_dimension(spectrum, rank, 500) for rank in range(1, D)]
    np.testing.assert_allclose(got, want, rtol=1e-4)
    seen = moments.of(X, jnp.ones(N))
    found = 1 + int(evidence(principal.components(seen, D).variance, float(N)).argmax())
    assert found == decomposition.PCA("mle", svd_solver="full").fit(X.astype(float)).n_components_


def test_what_each_number_explains_is_scikit_learns(whole):
    x, held_out = X[:400], X[400:].astype(float)
    found = jax.jit(principal.by_number)(moments.of(x, jnp.ones(len(x))), x, X[400:])
    every = decomposition.PCA(svd_solver="full").fit(x.astype(float))
    np.testing.assert_allclose(found.variance, every.explained_variance_, rtol=1e-3)
    codes = np.square(every.transform(held_out)).mean(0)
    np.testing.assert_allclose(found.error, [codes[n:].sum() for n in range(D)], rtol=1e-3)
    some = decomposition.PCA(5, svd_solver="full").fit(x.astype(float))
    np.testing.assert_allclose(found.held_out[4], some.score(held_out), atol=1e-3)
    np.testing.assert_allclose(found.fitted[4], some.score(x.astype(float)), atol=1e-3)
    want = [_assess_dimension(every.explained_variance_, rank, len(x)) / len(x) for rank in range(1, D)]
    np.testing.assert_allclose(found.evidence, want, rtol=1e-3)
    left = X - THEIRS.inverse_transform(THEIRS.transform(X.astype(float)))
    np.testing.assert_allclose(principal.errors(whole, X), np.square(left).sum(1), rtol=2e-3, atol=1e-4)


def test_quoted_references_are_scikit_learns():
    from experiments.latent import pca as experiment

    loaded = experiment.load(experiment.Config())
    train, test = (split.arrays["x"].astype(float) for split in loaded[:2])
    theirs = decomposition.PCA(16, svd_solver="full").fit(train)
    error = np.square(test - theirs.inverse_transform(theirs.transform(test))).sum(1).mean()
    exact, randomised, online, likelihood, evident = experiment.CLAIMS
    assert all(f"{error:.4f}" in claim.reference for claim in (exact, randomised, online))
    assert exact.at_most == randomised.at_most <= error + 1.5e-4 and online.at_most <= 1.01 * error
    assert f"{theirs.score(test):.3f}" in likelihood.reference and likelihood.at_least >= theirs.score(test) - 2e-3
    number = decomposition.PCA("mle", svd_solver="full").fit(train).n_components_
    assert f"{number};" in evident.reference and (evident.at_least, evident.at_most) == (number - 1, number + 1)
