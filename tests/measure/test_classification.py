"""Areas of many classes and log-odds are scikit-learn's; one class against the rest is what a count says."""

import jax.numpy as jnp
import numpy as np
from scipy import special
from sklearn import metrics

from adl.measure import calibration, roc
from adl.measure.classification import OneClass, scores

RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 3, 200)
OUTPUTS = (RNG.normal(size=(200, 3)) + 1.5 * np.eye(3)[LABEL]).astype("f")
P = special.softmax(OUTPUTS.astype(float), 1)


def test_the_area_of_many_classes_is_scikit_learns():
    want = metrics.roc_auc_score(LABEL, P, multi_class="ovr")
    np.testing.assert_allclose(roc.mean_area(jnp.log(P), LABEL), want, rtol=1e-5)
    seen = scores(OUTPUTS, LABEL)
    np.testing.assert_allclose(seen["auc"].value, want, rtol=1e-5)
    np.testing.assert_allclose(seen["accuracy"].value, metrics.accuracy_score(LABEL, P.argmax(1)), rtol=1e-6)
    np.testing.assert_allclose(seen["nll"].value, metrics.log_loss(LABEL, P), rtol=1e-5)


def test_log_odds_are_those_of_the_probability():
    for k in range(3):
        np.testing.assert_allclose(roc.log_odds(OUTPUTS, k), np.log(P[:, k] / (1 - P[:, k])), rtol=1e-3, atol=1e-4)
    sure = jnp.array([[60.0, 0, 0], [50.0, 0, 0]])
    assert roc.log_odds(sure, 0)[0] > roc.log_odds(sure, 0)[1]  # both have probability 1 in float32


def test_one_class_against_the_rest():
    k, one = 2, OneClass.of(OUTPUTS, LABEL, 2, num_bins=4)
    np.testing.assert_allclose(one.area, metrics.roc_auc_score(LABEL == k, P[:, k]), rtol=1e-5)
    want = metrics.average_precision_score(LABEL == k, P[:, k])
    np.testing.assert_allclose(one.average_precision, want, rtol=1e-5)
    np.testing.assert_allclose(np.trapezoid(one.recall, one.false_positive_rate), one.area, rtol=1e-5)
    rows = [np.ceil(P[:, k] * 4) == i for i in range(1, 5)]
    np.testing.assert_allclose(one.said, [P[row, k].mean() for row in rows], rtol=1e-5)
    np.testing.assert_allclose(one.came, [(LABEL[row] == k).mean() for row in rows], rtol=1e-5)
    bins = calibration.reliability(jnp.asarray(P, jnp.float32), LABEL, num_bins=10)
    np.testing.assert_allclose(one.ece, calibration.expected_calibration_error(bins), rtol=1e-4)
