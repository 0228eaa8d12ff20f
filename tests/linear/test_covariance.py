"""Kernels are scikit-learn's; those of networks are the expectations of their hidden units, by quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats
from sklearn.gaussian_process import kernels

from adl.linear import covariance
from adl.linear.covariance import matern, periodic, rational_quadratic, squared_exponential

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)).astype("f"), RNG.normal(size=(9, 3)).astype("f")
LENGTH = np.array([0.5, 1.0, 3.0], "f")
THEIRS = {
    "squared exponential": (squared_exponential(LENGTH), kernels.RBF(LENGTH)),
    "matern 1/2": (matern(LENGTH, "1/2"), kernels.Matern(LENGTH, nu=0.5)),
    "matern 3/2": (matern(LENGTH, "3/2"), kernels.Matern(LENGTH, nu=1.5)),
    "matern 5/2": (matern(LENGTH, "5/2"), kernels.Matern(LENGTH, nu=2.5)),
    "rational quadratic": (rational_quadratic(0.7, 1.5), kernels.RationalQuadratic(0.7, 1.5)),
    "linear": (covariance.linear(), kernels.DotProduct(0.0)),
    "constant": (covariance.constant(2.5), kernels.ConstantKernel(2.5)),
    "scaled sum": (
        covariance.added(covariance.scaled(squared_exponential(1.3), 2.0), covariance.linear(), covariance.constant()),
        2.0 * kernels.RBF(1.3) + kernels.DotProduct(1.0),
    ),
    "product": (
        covariance.multiplied(matern(2.0, "3/2"), squared_exponential(1.5)),
        kernels.Matern(2.0, nu=1.5) * kernels.RBF(1.5),
    ),
}


@pytest.mark.parametrize("name", THEIRS)
def test_is_scikit_learns(name):
    ours, theirs = THEIRS[name]
    np.testing.assert_allclose(ours(X, Y), theirs(X.astype(float), Y.astype(float)), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(covariance.variances(ours, X), theirs.diag(X.astype(float)), rtol=1e-5)


def test_periodic_is_scikit_learns_along_each_column():
    want = np.prod([kernels.ExpSineSquared(0.8, 2.0)(X[:, d : d + 1], Y[:, d : d + 1]) for d in range(3)], 0)
    np.testing.assert_allclose(periodic(0.8, 2.0)(X, Y), want, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(periodic(0.8, 2.0)(X, X + 4), periodic(0.8, 2.0)(X, X), atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "activation"),
    [(covariance.relu_network, lambda u: np.maximum(u, 0)), (covariance.erf_network, special.erf)],
)
def test_networks_kernel_is_the_expectation_of_two_hidden_units(kernel, activation):
    x, y, w, b = X[:4], Y[:4], np.array([0.5, 1.0, 2.0], "f"), 0.3
    got = np.asarray(kernel(w, b)(x, y))
    z = np.linspace(-8, 8, 1601)
    u, v = np.meshgrid(z, z, indexing="ij")
    density = stats.norm.pdf(u) * stats.norm.pdf(v)
    for i, row in enumerate(x):
        law = np.linalg.cholesky(
            [[row @ (w * row) + b, row @ (w * y[i]) + b], [row @ (w * y[i]) + b, y[i] @ (w * y[i]) + b]]
        )
        values = activation(law[0, 0] * u) * activation(law[1, 0] * u + law[1, 1] * v)
        want = integrate.trapezoid(integrate.trapezoid(values * density, x=z), x=z)
        np.testing.assert_allclose(got[i, i], want, rtol=1e-4, atol=1e-5)


GRADIENTS = {
    **{f"matern {order}": lambda theta, order=order: matern(theta[:3], order) for order in ("1/2", "3/2", "5/2")},
    "squared exponential": lambda theta: squared_exponential(theta[:3]),
    "rational quadratic": lambda theta: rational_quadratic(theta[:3], theta[3]),
    "periodic": lambda theta: periodic(theta[0], theta[3]),
    "relu network": lambda theta: covariance.relu_network(theta[:3], theta[3]),
    "erf network": lambda theta: covariance.erf_network(theta[:3], theta[3]),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_finite_differences(name):
    """With places that coincide, or nearly: distances have no derivative there, but kernels have."""
    rows, pull = np.concatenate([X, X[:1], X * (1 + 2e-7)]), RNG.normal(size=(25, 25)).astype("f")
    theta = jnp.array([0.5, 1.0, 3.0, 1.5])

    def total(theta, shift):
        return (pull * GRADIENTS[name](theta)(rows + shift, rows)).sum()

    gradient = jax.jit(jax.grad(total, (0, 1)))(theta, jnp.zeros((25, 3)))
    assert all(np.isfinite(part).all() for part in gradient)
    step = 1e-2 * jnp.eye(4)
    slopes = jax.jit(jax.vmap(lambda e: (total(theta + e, 0.0) - total(theta - e, 0.0)) / 2e-2))(step)
    np.testing.assert_allclose(gradient[0], slopes, rtol=0.02, atol=0.02)


def test_distances_are_exact_near_zero_far_from_the_origin():
    x = (100 + RNG.normal(size=(5, 11))).astype("f")
    want = np.square(x[:, None].astype(float) - x[None]).sum(-1)
    got = covariance.squared_differences(x, x)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert (np.diag(got) == 0).all()


def test_forward_and_reverse_derivatives_of_distances_agree_with_brute_force():
    def brute(x, y):
        return jnp.square(x[:, None] - y[None]).sum(-1)

    for derivative in (jax.jacrev, jax.jacfwd):
        ours, theirs = (derivative(fn, (0, 1))(X[:4], Y[:3]) for fn in (covariance.squared_differences, brute))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
