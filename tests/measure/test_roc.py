"""Curves and areas are scikit-learn's, ties included."""

import jax
import numpy as np
import pytest
from sklearn import metrics

from adl.measure import roc

RNG = np.random.default_rng(0)
LABEL = (RNG.uniform(size=200) < 0.3).astype(int)
SCORES = {
    "distinct": (RNG.normal(size=200) + LABEL).astype("f"),
    "ties": np.round(RNG.normal(size=200) + LABEL).astype("f"),
    "all equal": np.zeros(200, "f"),
}


@pytest.mark.parametrize("name", SCORES)
def test_areas_are_scikit_learns(name):
    curve = jax.jit(roc.threshold_curve)(SCORES[name], LABEL)
    np.testing.assert_allclose(roc.area_under_roc(curve), metrics.roc_auc_score(LABEL, SCORES[name]), rtol=1e-5)
    want = metrics.average_precision_score(LABEL, SCORES[name])
    np.testing.assert_allclose(roc.average_precision(curve), want, rtol=1e-5)


@pytest.mark.parametrize("name", SCORES)
def test_points_are_scikit_learns(name):
    curve = roc.threshold_curve(SCORES[name], LABEL)
    fpr, tpr, thresholds = metrics.roc_curve(LABEL, SCORES[name], drop_intermediate=False)
    _, first = np.unique(-np.asarray(curve.threshold), return_index=True)
    np.testing.assert_allclose(curve.threshold[first], thresholds)
    np.testing.assert_allclose(curve.false_positive_rate[first], fpr, atol=1e-6)
    np.testing.assert_allclose(curve.true_positive_rate[first], tpr, atol=1e-6)
    precision, recall, _ = metrics.precision_recall_curve(LABEL, SCORES[name])
    np.testing.assert_allclose(curve.precision[first][::-1], precision, rtol=1e-5)
    np.testing.assert_allclose(curve.true_positive_rate[first][::-1], recall, atol=1e-6)
