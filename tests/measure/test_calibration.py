"""Scores are scikit-learn's; the calibration error is that of a plain loop, and tells known forecasters apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from adl.measure.calibration import brier_score, expected_calibration_error, reliability, scores

RNG = np.random.default_rng(0)
PROBABILITY = RNG.dirichlet(np.full(5, 0.4), size=400).astype("f")
LABEL = np.array([RNG.choice(5, p=row / row.sum()) for row in PROBABILITY.astype(float)])


def looped(probability: np.ndarray, label: np.ndarray, num_bins: int) -> float:
    """The formula of Guo et al., bin by bin and forecast by forecast."""
    total = 0.0
    for b in range(num_bins):
        confident, right = [], []
        for row, y in zip(probability, label, strict=True):
            if b / num_bins < max(row) <= (b + 1) / num_bins:
                confident.append(float(max(row)))
                right.append(float(np.argmax(row) == y))
        if confident:
            gap = abs(sum(right) / len(right) - sum(confident) / len(confident))
            total += len(right) / len(label) * gap
    return total


@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_calibration_error_is_that_of_a_loop(num_bins):
    bins = reliability(jnp.asarray(PROBABILITY), jnp.asarray(LABEL), num_bins=num_bins)
    np.testing.assert_allclose(expected_calibration_error(bins), looped(PROBABILITY, LABEL, num_bins), rtol=1e-4)


def test_edges_belong_to_the_lower_bin():
    probability = jnp.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.75, 0.25, 0.0], [0.76, 0.24, 0.0]])
    bins = reliability(probability, jnp.zeros(4, int), num_bins=4)
    np.testing.assert_array_equal(bins.count, [0, 1, 1, 2])
    np.testing.assert_allclose(bins.confidence, [0, 0.5, 0.75, 1.76])


def test_bins_of_a_padded_and_cut_split_are_those_of_the_split():
    whole = reliability(jnp.asarray(PROBABILITY), jnp.asarray(LABEL))
    padded = np.concatenate([PROBABILITY[150:], PROBABILITY[:30]]), np.concatenate([LABEL[150:], LABEL[:30]])
    rest = reliability(*map(jnp.asarray, padded), weights=jnp.arange(280) < 250)
    parts = reliability(jnp.asarray(PROBABILITY[:150]), jnp.asarray(LABEL[:150])) + rest
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), parts, whole)


def test_calibrated_forecasts_err_by_chance_and_bold_ones_by_their_boldness():
    """Who says 90 % and is right in 60 % errs by 30 %; the error of who tells the truth falls with the root of N."""
    size = 20_000
    right = RNG.random(size) < 0.6
    bold = jnp.tile(jnp.array([[0.9, 0.1]]), (size, 1))
    error = expected_calibration_error(reliability(bold, jnp.asarray(~right, int)))
    np.testing.assert_allclose(error, 0.9 - right.mean(), rtol=1e-3)
    truth = np.stack([p := RNG.random(size), 1 - p], -1)
    label = (RNG.random(size) > p).astype(int)
    assert expected_calibration_error(reliability(jnp.asarray(truth, "f"), jnp.asarray(label))) < 0.02


def test_scores_are_scikit_learns():
    got = {name: float(mean.value) for name, mean in scores(jnp.log(PROBABILITY), jnp.asarray(LABEL)).items()}
    classes, double = np.arange(5), PROBABILITY.astype(float)
    double /= double.sum(1, keepdims=True)
    want = {
        "accuracy": metrics.accuracy_score(LABEL, PROBABILITY.argmax(1)),
        "nll": metrics.log_loss(LABEL, double, labels=classes),
        "brier": metrics.brier_score_loss(LABEL, double, labels=classes, scale_by_half=False),
        "ece": looped(PROBABILITY, LABEL, 15),
    }
    assert got == pytest.approx(want, rel=1e-4)


def test_brier_score_from_certainly_right_to_certainly_wrong():
    certain = jnp.eye(3)
    np.testing.assert_array_equal(brier_score(certain, jnp.array([0, 1, 0])), [0, 0, 2])
