"""Bits of baselines: against scikit-learn's categorical naive Bayes, and SciPy's Gaussian."""

import numpy as np
import pytest
from scipy import stats
from sklearn.naive_bayes import CategoricalNB

from adl.measure.levels import baseline_bits, independent_bits, known, one_gaussian_bits

RNG = np.random.default_rng(0)
TRAIN, TEST = (RNG.integers(0, 4, (size, 6)) // (1 + np.arange(6) % 2) for size in (200, 50))


def test_independent_bits_are_those_of_naive_bayes_with_one_class():
    bayes = CategoricalNB(alpha=1, min_categories=4).fit(TRAIN, np.zeros(len(TRAIN)))
    log_probs = [bayes.feature_log_prob_[d][0][TEST[:, d]] for d in range(6)]
    found = independent_bits(TRAIN, TEST, num_levels=4)
    assert found == pytest.approx(-np.mean(log_probs) / np.log(2), rel=1e-9)


def test_gaussian_bits_are_the_mean_over_many_spreadings():
    spread = stats.multivariate_normal(TRAIN.mean(0) + 0.5, np.cov(TRAIN.T) + np.eye(6) / 12)
    nats = [-spread.logpdf(TEST + RNG.uniform(size=TEST.shape)).mean() for _ in range(2000)]
    error = 4 * np.std(nats) / len(nats) ** 0.5 / (6 * np.log(2))
    assert one_gaussian_bits(TRAIN, TEST) == pytest.approx(np.mean(nats) / (6 * np.log(2)), abs=error)


def test_the_gaussian_is_left_out_where_its_covariance_would_be_too_large():
    wide = np.zeros((3, 65, 64, 1), int)
    assert set(baseline_bits(wide, wide, num_levels=2)) == {"uniform", "independent"}
    few = baseline_bits(TRAIN, TEST, num_levels=4)
    assert set(few) == {"uniform", "independent", "gaussian"} and few["uniform"] == 2


def test_known_numbers_are_reported():
    assert float(known({"uniform": 4.09})(None, None)["uniform"].value) == pytest.approx(4.09)
