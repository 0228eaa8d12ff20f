"""Kernel densities and integrals over the plane, against scikit-learn and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import KernelDensity

from adl.data import toys
from adl.prob import kernel, quadrature


@pytest.mark.parametrize("bandwidth", [0.1, 1.0])
@pytest.mark.parametrize("dim", [1, 3])
def test_kernel_density_is_scikit_learns(dim, bandwidth):
    centers, x = (np.random.default_rng(seed).normal(size=(n, dim)).astype("f") for seed, n in ((0, 40), (1, 15)))
    want = KernelDensity(bandwidth=bandwidth).fit(centers.astype(float)).score_samples(x.astype(float))
    for chunk in (None, 4):
        ours = kernel.gaussian_log_prob(x, centers, bandwidth, chunk=chunk)
        np.testing.assert_allclose(ours, want, rtol=1e-3, atol=2e-3)


def test_around_the_exact_places_it_is_the_toys_density():
    centers, _ = toys.eight_gaussians(jax.random.key(0), 8, noise=0.0)
    x, _ = toys.eight_gaussians(jax.random.key(1), 200, noise=0.3)
    want = np.log(np.mean([stats.multivariate_normal(c, 0.09).pdf(x) for c in np.asarray(centers)], 0))
    np.testing.assert_allclose(kernel.gaussian_log_prob(x, centers, 0.3), want, rtol=1e-4, atol=1e-4)


def test_a_density_integrates_to_one():
    grid, area = quadrature.plane(-6.0, 6.0, 60)
    normal = stats.multivariate_normal([1.0, -0.5], [[0.5, 0.2], [0.2, 0.3]])
    np.testing.assert_allclose(quadrature.log_integral(jnp.asarray(normal.logpdf(grid)), area), 0, atol=1e-5)
    np.testing.assert_allclose(quadrature.log_integral(jnp.zeros((60, 60)), area), np.log(144), rtol=1e-5)


def test_rows_of_the_plane_are_the_second_coordinate():
    grid, area = quadrature.plane(0.0, 4.0, 4)
    assert area == 1.0
    np.testing.assert_allclose(grid[2, 0], [0.5, 2.5])
