"""Nonparametric densities against NumPy, SciPy and scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KernelDensity, NearestNeighbors

from adl.prob import kernel
from adl.prob.density import histogram, leave_one_out, likeliest_bandwidth, neighbour_log_prob, silverman
from adl.prob.mixture import claw

RNG = np.random.default_rng(0)


def test_histogram_is_numpys():
    x = np.concatenate([RNG.normal(size=200), [-2.0, 2.0, 5.0]]).astype("f")
    ours = histogram(jnp.asarray(x), -2, 2, num_bins=7)
    count, edges = np.histogram(x, 7, (-2, 2))
    np.testing.assert_array_equal(ours.count, count)
    at = np.array([-2.5, -2.0, -1.3, 0.0, 1.99, 2.0, 2.1])
    want = stats.rv_histogram((count, edges), density=False).pdf(at)
    want[5] = want[4]  # the last bin is closed
    np.testing.assert_allclose(np.exp(ours.log_prob(jnp.asarray(at, "f"))), want, rtol=1e-5)


@pytest.mark.parametrize("dim", [1, 3])
def test_kernel_density_is_scikit_learns(dim):
    x, at = (RNG.normal(size=(n, dim)).astype("f") for n in (60, 9))
    bandwidth = float(silverman(jnp.asarray(x)))
    theirs = KernelDensity(bandwidth=bandwidth, rtol=1e-8)
    want = theirs.fit(x).score_samples(at)
    np.testing.assert_allclose(kernel.gaussian_log_prob(at, jnp.asarray(x), bandwidth), want, rtol=1e-4, atol=1e-4)
    left_out = cross_val_score(theirs, x, cv=LeaveOneOut())
    np.testing.assert_allclose(leave_one_out(jnp.asarray(x), bandwidth), left_out, rtol=1e-4, atol=1e-4)


def test_likeliest_bandwidth_is_scikit_learns():
    x, widths = RNG.normal(size=(40, 1)).astype("f"), np.geomspace(0.05, 2, 9).astype("f")
    scores = [cross_val_score(KernelDensity(bandwidth=width), x, cv=LeaveOneOut()).mean() for width in widths.tolist()]
    assert likeliest_bandwidth(jnp.asarray(x), jnp.asarray(widths)) == widths[np.argmax(scores)]


def test_quoted_loss_of_kernels_is_scikit_learns():
    from experiments.prob import density as experiment

    points, others = (np.asarray(x, float) for x in experiment.load(experiment.Config()))
    width = likeliest_bandwidth(jnp.asarray(points, jnp.float32)[:, None], jnp.asarray(experiment.BANDWIDTHS))
    machine = KernelDensity(bandwidth=float(width), rtol=1e-6).fit(points[:, None])
    excess = claw().log_prob(jnp.asarray(others)).mean() - machine.score_samples(others[:, None]).mean()
    assert f"{excess:.4f}" in experiment.CLAIMS[0].reference


def test_silverman_is_scipys():
    x = RNG.normal(size=(50, 1)).astype("f")
    theirs = stats.gaussian_kde(x.T, "silverman")
    np.testing.assert_allclose(silverman(jnp.asarray(x)), np.sqrt(theirs.covariance[0, 0]), rtol=1e-5)


@pytest.mark.parametrize(("dim", "volume"), [(1, 2.0), (2, np.pi), (3, 4 / 3 * np.pi)])
def test_neighbour_density_is_the_formula_with_scikit_learns_distances(dim, volume):
    x, at = (RNG.normal(size=(n, dim)).astype("f") for n in (60, 9))
    reach = NearestNeighbors(n_neighbors=5).fit(x).kneighbors(at)[0][:, -1]
    want = np.log(5 / (60 * volume * reach**dim))
    np.testing.assert_allclose(neighbour_log_prob(jnp.asarray(at), jnp.asarray(x), k=5), want, rtol=1e-4, atol=1e-4)
