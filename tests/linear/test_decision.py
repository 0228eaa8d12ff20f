"""Decisions by brute force, and curves by scikit-learn, ties included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from adl.linear import decision

RNG = np.random.default_rng(0)
LABEL = (RNG.uniform(size=200) < 0.3).astype(int)
SCORES = {
    "distinct": (RNG.normal(size=200) + LABEL).astype("f"),
    "ties": np.round(RNG.normal(size=200) + LABEL).astype("f"),
    "all equal": np.zeros(200, "f"),
}


@pytest.mark.parametrize("name", SCORES)
def test_areas_are_scikit_learns(name):
    curve = jax.jit(decision.threshold_curve)(SCORES[name], LABEL)
    np.testing.assert_allclose(decision.area_under_roc(curve), metrics.roc_auc_score(LABEL, SCORES[name]), rtol=1e-5)
    want = metrics.average_precision_score(LABEL, SCORES[name])
    np.testing.assert_allclose(decision.average_precision(curve), want, rtol=1e-5)


@pytest.mark.parametrize("name", SCORES)
def test_points_are_scikit_learns(name):
    curve = decision.threshold_curve(SCORES[name], LABEL)
    fpr, tpr, thresholds = metrics.roc_curve(LABEL, SCORES[name], drop_intermediate=False)
    _, first = np.unique(-np.asarray(curve.threshold), return_index=True)
    np.testing.assert_allclose(curve.threshold[first], thresholds)
    np.testing.assert_allclose(curve.false_positive_rate[first], fpr, atol=1e-6)
    np.testing.assert_allclose(curve.true_positive_rate[first], tpr, atol=1e-6)
    precision, recall, _ = metrics.precision_recall_curve(LABEL, SCORES[name])
    np.testing.assert_allclose(curve.precision[first][::-1], precision, rtol=1e-5)
    np.testing.assert_allclose(curve.true_positive_rate[first][::-1], recall, atol=1e-6)


def test_decisions_cost_least():
    probability = RNG.dirichlet(np.ones(3), size=100)
    loss = np.array([[0.0, 10.0, 1.0, 3.0], [1.0, 0.0, 1.0, 0.5], [2.0, 2.0, 0.0, 1.0]])  # four actions
    got = decision.decide(jnp.asarray(probability), jnp.asarray(loss))
    want = [min(range(4), key=lambda a: sum(p[k] * loss[k, a] for k in range(3))) for p in probability]
    np.testing.assert_array_equal(got, want)


def test_rejecting_is_a_loss_matrix_with_one_more_action():
    """Errors cost 1, rejections 0.3."""
    probability = jnp.asarray(RNG.dirichlet(np.ones(3), size=100))
    loss = jnp.concatenate([1 - jnp.eye(3), jnp.full((3, 1), 0.3)], 1)
    action = decision.decide(probability, loss)
    got = decision.decide_or_reject(probability, 0.7)
    np.testing.assert_array_equal(got, jnp.where(action == 3, decision.REJECT, action))
    assert 0 < (got == decision.REJECT).sum() < 100
    assert (decision.decide_or_reject(probability, 1 / 3 - 1e-6) >= 0).all()
