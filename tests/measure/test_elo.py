"""Ratings against scikit-learn's logistic regression of who beats whom, and against odds by definition."""

import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import LogisticRegression

from adl.measure.elo import elo


def test_ratings_are_those_of_a_logistic_regression():
    luck, count = np.random.default_rng(0), 5
    strength = np.array([0.0, 1.0, 0.5, 2.0, 1.5])
    points = np.zeros((count, count))
    for i, j in zip(*np.triu_indices(count, 1), strict=True):
        won = luck.binomial(60, 1 / (1 + np.exp(strength[j] - strength[i])))
        points[i, j], points[j, i] = won, 60 - won
    rows, columns = np.nonzero(~np.eye(count, dtype=bool))
    design = np.eye(count)[rows] - np.eye(count)[columns]
    judge = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
    judge.fit(
        np.r_[design, -design], np.r_[np.ones(20), np.zeros(20)], np.r_[points[rows, columns], points[rows, columns]]
    )
    want = judge.coef_[0] - judge.coef_[0][0]
    np.testing.assert_allclose(elo(jnp.asarray(points, "f"), drawn=0.0), 400 / np.log(10) * want, rtol=1e-3, atol=0.3)


def test_odds_of_ten_are_four_hundred_and_who_lost_all_has_a_rating():
    np.testing.assert_allclose(elo(jnp.array([[0.0, 10], [100, 0]]), drawn=0.0), [0, 400], atol=0.1)
    found = elo(jnp.array([[0.0, 0], [40, 0]]))
    np.testing.assert_allclose(found, [0, 400 * np.log10(40.5 / 0.5)], rtol=1e-3)
