"""Classifiers are scikit-learn's of the same names, and so is what the experiments quote of them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from adl.data import tables
from adl.linear import classifiers
from adl.linear.glm import of_classes
from adl.measure import classification
from experiments.linear import classifiers as side_by_side
from experiments.linear import classify, regions

MACHINES = {
    "LogisticRegression": "logistic",
    "LinearDiscriminantAnalysis": "Gaussian, tied",
    "QuadraticDiscriminantAnalysis": "Gaussian, full",
}
SCORES = {"loss": "nll"}


@pytest.fixture(scope="module", params=["breast_cancer", "wine"])
def found(request):
    """The set, its rows, and scikit-learn's outputs."""
    train, test = tables.labels(request.param)
    return request.param, train, test, side_by_side.peers(train, test)


def test_quoted_references_are_scikit_learns(found):
    dataset, _, test, theirs = found
    claims = [*classify.CLAIMS, *side_by_side.CLAIMS]
    for claim in [claim for claim in claims if claim.overrides.get("dataset", "breast_cancer") == dataset]:
        machine, value = re.search(r"scikit-learn's (\w+).*: ([\d.]+)$", claim.reference).groups()
        seen = classification.scores(jnp.asarray(theirs[MACHINES[machine]], jnp.float32), jnp.asarray(test.label))
        what = claim.metric.partition("/")[2].split()[-1]
        want = float(seen[SCORES.get(what, what)].value)
        np.testing.assert_allclose(float(value), want, atol=1e-4)
        assert claim.at_least <= want + 1e-4 and claim.at_most >= want - 1e-4


def test_those_without_a_test_of_their_own_are_scikit_learns(found):
    _, train, test, theirs = found
    ours = classifiers.by_name(len(train.classes), penalty=1.0)
    assert tuple(ours) == side_by_side.NAMES and set(theirs) <= set(ours)
    for name in ("perceptron", "least squares"):
        got = np.asarray(jax.jit(ours[name])(train.x, train.label, test.x))
        if len(train.classes) == 2:  # theirs is one machine, ours two, one the other's opposite
            np.testing.assert_array_equal(got.argmax(1), theirs[name].argmax(1))
        else:
            np.testing.assert_allclose(got, theirs[name], atol=2e-2)


@pytest.mark.parametrize("name", ["logistic", "Gaussian, tied", "Gaussian, full", "naive Bayes"])
def test_log_probabilities_are_scikit_learns(found, name):
    dataset, train, test, theirs = found
    ours = classifiers.by_name(len(train.classes), penalty=1.0)[name]
    got = jax.nn.softmax(jax.jit(ours)(train.x, train.label, test.x))
    tolerance = 0.02 if (dataset, name) == ("breast_cancer", "Gaussian, full") else 2e-3  # nearly singular
    np.testing.assert_allclose(got, np.exp(theirs[name]), atol=tolerance)


def test_fisher_is_nearest_mean_where_clouds_are_round():
    rng = np.random.default_rng(0)
    label = np.arange(300) % 3
    x = (3 * np.array([[0, 0], [1, 0], [0, 1]])[label] + rng.normal(size=(300, 2))).astype("f")
    means = np.stack([x[label == k].mean(0) for k in range(3)])
    scatter = sum(np.cov(x[label == k].T, bias=True) for k in range(3)) / 3
    away = x[:, None] - means
    want = -0.5 * np.einsum("nkd,de,nke->nk", away, np.linalg.inv(scatter), away)
    got = jax.jit(classifiers.fisher(3))(x, label, x)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)  # two directions of a plane lose nothing


def test_probit_is_normalised_by_nothing_and_agrees_with_the_logistic_on_most():
    train, test = tables.labels("breast_cancer")
    both = [classifiers.by_name(2, penalty=1.0)[name](train.x, train.label, test.x) for name in ("probit", "logistic")]
    assert (both[0] <= 0).all()
    assert (both[0].argmax(1) == both[1].argmax(1)).mean() > 0.97


def test_penalties_spare_the_constant_and_two_classes_have_one_number():
    np.testing.assert_array_equal(classifiers.penalties(2, 3.0), [3, 3, 0])
    assert of_classes(2).num_outputs == 1 and of_classes(3).num_outputs == 3


@pytest.mark.parametrize("claim", regions.CLAIMS, ids=lambda claim: str(claim.overrides))
def test_quoted_share_on_the_right_side_is_scikit_learns(claim):
    rows = regions.load(regions.Config(**claim.overrides))
    machine = LogisticRegression(C=1.0, tol=1e-8, max_iter=10000).fit(rows.x, rows.label)
    quoted = claim.reference.rpartition(" ")[2]
    assert quoted == f"{machine.score(rows.x, rows.label):.4f}" and claim.at_least <= float(quoted)
