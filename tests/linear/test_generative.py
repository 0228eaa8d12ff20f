"""Gaussian classes are scikit-learn's, however the data come."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

from adl.core import jitted
from adl.linear import generative

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, D, K = 240, 3, 3
LABEL = RNG.choice(K, size=N, p=[0.5, 0.3, 0.2])
SHAPES = RNG.normal(size=(K, D, D))
X = (100 + np.einsum("nij,nj->ni", SHAPES[LABEL], RNG.normal(size=(N, D))) + 2 * RNG.normal(size=(K, D))[LABEL]).astype(
    "f"
)
NEW = (100 + 3 * RNG.normal(size=(50, D))).astype("f")


def learned(parts=((0, N),), **more):
    alg = jitted(generative.gaussian_classes(K))
    state = alg.init(KEY, {"x": X, "label": LABEL})
    for low, high in parts:
        state, _ = alg.step(KEY, state, {"x": X[low:high], "label": LABEL[low:high], **more})
    return state


@pytest.mark.parametrize("parts", [((0, N),), ((0, 1), (1, 7), (7, 100), (100, N))], ids=["at once", "in parts"])
def test_counts_means_and_covariances(parts):
    state = learned(parts)
    for k in range(K):
        mine = X[LABEL == k].astype(float)
        np.testing.assert_allclose(state.count[k], len(mine))
        np.testing.assert_allclose(state.mean[k], mine.mean(0), rtol=1e-5)
        got = generative.covariances(state, reg_covar=0)[k]
        np.testing.assert_allclose(got, np.cov(mine.T, bias=True), rtol=1e-3, atol=1e-3)


def test_quadratic_is_scipys_density():
    got = generative.log_joint(learned(), NEW, reg_covar=0)
    want = []
    for k in range(K):
        mine = X[LABEL == k].astype(float)
        law = stats.multivariate_normal(mine.mean(0), np.cov(mine.T, bias=True))
        want.append(law.logpdf(NEW) + np.log(len(mine) / N))
    np.testing.assert_allclose(got, np.stack(want, 1), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("covariance", "theirs"),
    [("tied", LinearDiscriminantAnalysis(solver="lsqr")), ("diag", GaussianNB(var_smoothing=0))],
)
def test_probabilities_are_scikit_learns(covariance, theirs):
    theirs.fit(X.astype(float), LABEL)
    joint = generative.log_joint(learned(), NEW, covariance=covariance, reg_covar=0)
    np.testing.assert_allclose(jax.nn.softmax(joint), theirs.predict_proba(NEW.astype(float)), atol=2e-3)


def test_fisher_spans_scikit_learns_discriminants():
    theirs = LinearDiscriminantAnalysis(solver="eigen").fit(X.astype(float), LABEL)
    ours = np.asarray(generative.fisher_directions(learned()), float)
    want = theirs.scalings_[:, : K - 1]
    cosine = (ours * want).sum(0) / np.linalg.norm(ours, axis=0) / np.linalg.norm(want, axis=0)
    np.testing.assert_allclose(np.abs(cosine), 1, atol=1e-4)
    pooled = generative.covariances(learned(), covariance="tied", reg_covar=0)[0]
    np.testing.assert_allclose(ours.T @ pooled @ ours, np.eye(K - 1), atol=1e-3)


def test_fishers_direction_of_two_classes_is_the_closed_form():
    two = LABEL < 2
    alg = generative.gaussian_classes(2)
    batch = {"x": X[two], "label": LABEL[two]}
    state, _ = alg.step(KEY, alg.init(KEY, batch), batch)
    a, b = (X[LABEL == k].astype(float) for k in (0, 1))
    within = (a - a.mean(0)).T @ (a - a.mean(0)) + (b - b.mean(0)).T @ (b - b.mean(0))
    want = np.linalg.solve(within, b.mean(0) - a.mean(0))
    got = np.asarray(generative.fisher_directions(state))[:, 0]
    np.testing.assert_allclose(abs(got @ want), np.linalg.norm(got) * np.linalg.norm(want), rtol=1e-4)


def test_masked_examples_do_not_count():
    state = learned(mask=jnp.asarray(np.arange(N) < 90, "float32"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-2), state, learned(((0, 90),)))


@pytest.mark.parametrize("parts", [((0, 4),), ((0, 2), (2, 4)), ((2, 4), (0, 2))])
def test_a_class_without_examples_has_no_probability_and_no_place(parts):
    x, label = np.array([[-10.0], [-9], [9], [10]], "f"), np.array([0, 0, 1, 1])
    alg = jitted(generative.gaussian_classes(3))
    state = alg.init(KEY, {"x": x, "label": label})
    for low, high in parts:
        state, _ = alg.step(KEY, state, {"x": x[low:high], "label": label[low:high]})
    np.testing.assert_allclose(state.mean[:, 0], [-9.5, 9.5, 0])
    got = jax.nn.softmax(generative.log_joint(state, np.zeros((1, 1), "f"), reg_covar=0.0))
    np.testing.assert_allclose(got, [[0.5, 0.5, 0]], atol=1e-6)
