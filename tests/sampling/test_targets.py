"""What is known of the targets is so: by integration over a grid, and by SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.sampling import targets

RNG = np.random.default_rng(0)


def over(log_density, x, y):
    """Density `[G, H]` on a grid, and the area of its cells."""
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), -1).astype("f")
    return np.exp(np.asarray(jax.vmap(jax.vmap(log_density))(grid), float)), (x[1] - x[0]) * (y[1] - y[0])


@pytest.mark.parametrize(
    ("target", "x", "y"),
    [
        (targets.banana(), np.linspace(-12, 12, 1201), np.linspace(-8, 80, 1761)),
        (targets.banana(0.2, 1.0), np.linspace(-7, 7, 701), np.linspace(-7, 20, 1351)),
        (targets.two_modes(), np.linspace(-12, 12, 601), np.linspace(-7, 7, 351)),
        (targets.two_modes(0.6, 2.0), np.linspace(-12, 12, 601), np.linspace(-7, 7, 351)),
        (targets.isotropic(1.5), np.linspace(-12, 12, 601), np.linspace(-12, 12, 601)),
    ],
    ids=["banana", "flat banana", "modes", "near modes", "isotropic"],
)
def test_densities_integrate_to_one_and_have_their_moments(target, x, y):
    p, cell = over(target.log_density, x, y)
    np.testing.assert_allclose(p.sum() * cell, 1, rtol=1e-4)
    for axis, place in enumerate((x[:, None], y[None])):
        mean = (p * place).sum() * cell
        np.testing.assert_allclose(mean, target.mean[axis], atol=1e-3)
        np.testing.assert_allclose((p * (place - mean) ** 2).sum() * cell, target.std[axis] ** 2, rtol=1e-3)


def test_a_funnel_is_normal_given_its_neck():
    """And its variance is a log-normal's mean, exp(std^2 / 2); its plane leaves the other coordinates out."""
    target = targets.funnel(1.2, dim=4)
    x = RNG.normal(size=(20, 4)).astype("f")
    want = stats.norm.logpdf(x[:, 0], scale=1.2) + stats.norm.logpdf(x[:, 1:], scale=np.exp(x[:, :1] / 2)).sum(1)
    np.testing.assert_allclose(jax.vmap(target.log_density)(x), want, rtol=1e-4, atol=1e-4)
    want = stats.norm.logpdf(x[:, 0], scale=1.2) + stats.norm.logpdf(x[:, 1], scale=np.exp(x[:, 0] / 2))
    np.testing.assert_allclose(jax.vmap(target.plane)(x[:, :2]), want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(target.std[1:] ** 2, stats.lognorm.mean(1.2))
    assert target.names == ["v", "x1", "x2", "x3"] and not target.mean.any()


def test_correlated_coordinates_are_scipys():
    target = targets.correlated(6, 0.7)
    covariance = np.outer(target.std, target.std) * 0.7 ** abs(np.subtract.outer(np.arange(6), np.arange(6)))
    x = RNG.normal(size=(20, 6)) * target.std
    for log_density, size in ((target.log_density, 6), (target.plane, 2)):
        ours = np.asarray(jax.vmap(log_density)(x[:, :size].astype("f")))
        theirs = stats.multivariate_normal(cov=covariance[:size, :size]).logpdf(x[:, :size])
        np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(sorted(target.std), np.logspace(-1, 1, 6))


def test_heights_lie_where_they_are():
    x, y, height = targets.heights("banana", 20)
    assert (x[0], x[-1], y[0], y[-1]) == (-8.5, 8.5, -4, 14) and height.shape == (20, 20)
    np.testing.assert_allclose(height[3, 5], targets.PLANE["banana"].log_density(jnp.array([x[5], y[3]])), rtol=1e-5)


def test_a_precision_is_that_of_the_computation_alone():
    x = jnp.array([0.1234, 0.777], "float32")
    seen = []
    targets.rounded(lambda x: seen.append(x.dtype) or x.sum(), "bfloat16")(x)
    assert seen == [jnp.bfloat16]
    assert targets.rounded(jnp.sum, "bfloat16")(x).dtype == jnp.float32
    assert targets.rounded(jnp.sum, "float32")(x) == x.sum() != targets.rounded(jnp.sum, "bfloat16")(x)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_of_several_is_that_one(which):
    densities = [lambda x, k=k: k * x.sum() for k in (1.0, 2.0, 3.0)]
    assert jax.jit(lambda which: targets.one_of(densities, which)(jnp.ones(2)))(which) == 2 * (which + 1)
