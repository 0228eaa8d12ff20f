"""What the experiment quotes of scikit-learn is what scikit-learn does, and its scores are those beside ours."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.linear import classify as experiment

NAMES = {"LogisticRegression": "logistic", "LinearDiscriminantAnalysis": "Gaussian, tied"}
NAMES["QuadraticDiscriminantAnalysis"] = "Gaussian, full"


@pytest.mark.parametrize("dataset", ["breast_cancer", "wine"])
def test_quoted_references_are_scikit_learns(dataset):
    config = experiment.Config(dataset=dataset)
    view = experiment.tables(config)
    peers = experiment.peers(view, config.penalty)
    claims = [claim for claim in experiment.CLAIMS if claim.overrides.get("dataset", "breast_cancer") == dataset]
    for claim in claims:
        machine, value = re.search(r"scikit-learn's (\w+).*: ([\d.]+)$", claim.reference).groups()
        seen = experiment.scores(jnp.asarray(peers[NAMES[machine]], "float32"), jnp.asarray(view.test_label))
        want = float(
            seen[{"loss": "nll"}.get(claim.metric.split("/")[1], claim.metric.split("/")[1].split()[-1])].value
        )
        np.testing.assert_allclose(float(value), want, atol=1e-4)
        assert claim.at_least <= want + 1e-4 and claim.at_most >= want - 1e-4


def test_perceptron_and_least_squares_are_scikit_learns():
    """The others have tests of their own."""
    config = experiment.Config(dataset="wine")
    view = experiment.tables(config)
    theirs = experiment.peers(view, config.penalty)
    ours = experiment.classifiers(3, config.penalty)
    for name in ("perceptron", "least squares"):
        got = jax.jit(ours[name])(*map(jnp.asarray, (view.x, view.label, view.test_x)))
        np.testing.assert_allclose(got, theirs[name], atol=2e-2)
