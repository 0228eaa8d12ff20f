"""Beliefs that are right have errors as large as they say, by SciPy's distributions; beliefs that are not are told."""

import numpy as np
from scipy import stats

from adl.measure.consistency import normalised_error, root_mean_square
from adl.prob.gaussian import MultivariateNormal

RNG = np.random.default_rng(0)


def test_errors_are_those_of_scipys_densities():
    """The squared error in units of the covariance is the density's own, up to its constant."""
    roots = RNG.normal(size=(5, 3, 2, 2))
    covariance = roots @ roots.swapaxes(-1, -2) + 0.5 * np.eye(2)
    loc, x = RNG.normal(size=(2, 5, 3, 2))
    want = [
        np.mean(
            [
                2 * (stats.multivariate_normal.logpdf(m, m, s) - stats.multivariate_normal.logpdf(z, m, s)) / 2
                for z, m, s in zip(x[:, t], loc[:, t], covariance[:, t], strict=True)
            ]
        )
        for t in range(3)
    ]
    belief = MultivariateNormal(loc.astype("f"), covariance.astype("f"))
    np.testing.assert_allclose(normalised_error(x.astype("f"), belief), want, rtol=1e-4)
    error, expected = root_mean_square(x.astype("f"), belief, (1,))
    np.testing.assert_allclose(error, np.sqrt(np.square(x - loc)[..., 1].mean(0)), rtol=1e-5)
    np.testing.assert_allclose(expected, np.sqrt(covariance[..., 1, 1].mean(0)), rtol=1e-5)


def test_a_right_belief_is_consistent_and_a_boastful_one_is_not():
    x = RNG.normal(size=(4096, 2, 3)).astype("f")
    right = MultivariateNormal(np.zeros_like(x), np.broadcast_to(np.eye(3, dtype="f"), (4096, 2, 3, 3)))
    low, high = stats.chi2.interval(0.9999, 4096 * 3) / np.array(4096 * 3.0)
    assert ((low < normalised_error(x, right)) & (normalised_error(x, right) < high)).all()
    assert (normalised_error(x, right._replace(covariance=right.covariance / 4)) > 3).all()
