"""Solvers on Gaussian data, whose denoiser and probability flow are closed forms.

For data N(m, s^2): D(x; sigma) = (s^2 x + sigma^2 m) / (s^2 + sigma^2), and the flow keeps
(x - m) / sqrt(s^2 + sigma^2) constant.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from adl.core import BadInput
from adl.diffusion import schedule, solver

KEY = jax.random.key(0)
M, S = 0.3, 0.5
START = jnp.asarray([[-3.0], [0.1], [4.0]])


def denoise(x, sigma):
    return (S**2 * x + sigma**2 * M) / (S**2 + sigma**2)


def flow(x, sigma, sigma_next):
    return M + (x - M) * jnp.sqrt((S**2 + sigma_next**2) / (S**2 + sigma**2))


@pytest.mark.parametrize(
    "method, order, steps",
    [(solver.euler, 1, (8, 16, 32)), (solver.heun, 2, (8, 16, 32)), (solver.runge_kutta, 4, (4, 8))],
)
def test_order_of_convergence(method, order, steps):
    def error(num_steps):
        sigmas = jnp.linspace(2.0, 0.5, num_steps + 1)
        return np.abs(solver.sample(KEY, denoise, START, sigmas, method) - flow(START, 2.0, 0.5)).max()

    errors = np.array([error(n) for n in steps])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), order, atol=0.15)


@functools.partial(jax.jit, static_argnums=0)
def law(method, sigmas):
    """Mean and deviation after all steps from N(0, sigmas[0]^2), exactly: each step is x' = a x + b + c n."""
    n = jax.random.normal(KEY, (1, 1))[0, 0]

    def step(moments, levels):
        def at(x, denoise):
            return method(KEY, denoise, jnp.full((1, 1), x), *levels)[0, 0]

        noise = at(0.0, lambda x, sigma: 0 * x)
        offset = at(0.0, denoise) - noise
        slope = at(1.0, denoise) - offset - noise
        return (slope * moments[0] + offset, slope**2 * moments[1] + (noise / n) ** 2), None

    mean, variance = lax.scan(step, (0.0, sigmas[0] ** 2), (sigmas[:-1], sigmas[1:]))[0]
    return jnp.stack([mean, jnp.sqrt(variance)])


@pytest.mark.parametrize("method", [solver.reverse, solver.ddim(1.0)])
def test_laws_of_stochastic_samplers_converge_with_order_1(method):
    """Of u = S^2 + sigma^2 the reverse equation has the mean M (1 - u / u_0), the variance u - S^2 (u / u_0)^2."""
    u, first = S**2 + 0.5**2, S**2 + 5.0**2
    want = np.array([M * (1 - u / first), np.sqrt(u - S**2 * (u / first) ** 2)])
    mean, std = np.array([law(method, jnp.linspace(5.0, 0.5, n + 1)) - want for n in (64, 128, 256)]).T
    np.testing.assert_allclose(np.log2(std[:-1] / std[1:]), 1, atol=0.15)
    assert max(abs(mean[-1]), abs(std[-1])) < 0.02


def test_the_exact_chain_of_ddpm_keeps_what_the_chain_left():
    """For data of one point the posterior is exact: each step has the standard deviation of its level."""
    point = lambda x, sigma: jnp.full_like(x, M)  # noqa: E731
    start = M + 4.0 * jax.random.normal(jax.random.key(1), (40_000, 1))
    for eta in (0.0, 0.5, 1.0):
        x = solver.ddim(eta)(jax.random.key(2), point, start, jnp.float32(4.0), jnp.float32(1.5))
        np.testing.assert_allclose([x.mean(), x.std()], [M, 1.5], atol=0.03)
    drift = np.corrcoef(x[:, 0], start[:, 0])[0, 1]
    np.testing.assert_allclose(drift, 1.5 / 4.0, atol=0.02)  # of eta = 1 the chain's own correlation


def test_ddim_is_eulers_step():
    plain = solver.ddim(0.0)(KEY, denoise, START, jnp.float32(2.0), jnp.float32(0.7))
    np.testing.assert_allclose(plain, solver.euler(KEY, denoise, START, 2.0, 0.7), rtol=1e-5)
    with pytest.raises(BadInput, match="0 adds no noise"):
        solver.ddim(1.5)


@pytest.mark.parametrize("method", [solver.euler, solver.heun, solver.runge_kutta, solver.reverse, solver.ddim(1.0)])
def test_last_step_denoises(method):
    got = solver.sample(KEY, denoise, START, jnp.asarray([0.2, 0.0]), method)
    np.testing.assert_allclose(got, denoise(START, 0.2), rtol=1e-5)


@pytest.mark.parametrize("method", [solver.heun, solver.churned(solver.heun, gamma=0.1)])
def test_samples_have_the_moments_of_the_data(method):
    sigmas = schedule.karras(40, sigma_min=0.002, sigma_max=40.0)
    noise_key, key = jax.random.split(KEY)
    start = sigmas[0] * jax.random.normal(noise_key, (20_000, 1))
    x = solver.sample(key, denoise, start, sigmas, method)
    # Standard errors of mean and deviation are S / sqrt(n) and S / sqrt(2 n): 0.0035 and 0.0025.
    assert abs(x.mean() - M) < 0.014
    assert abs(x.std() - S) < 0.01


def test_churn_of_nothing_is_the_solver_itself():
    sigmas = schedule.karras(6)
    plain = solver.sample(KEY, denoise, START, sigmas, solver.heun)
    none = solver.sample(KEY, denoise, START, sigmas, solver.churned(solver.heun, gamma=0.0))
    beyond = solver.churned(solver.heun, gamma=0.4, sigma_low=1e3)
    outside = solver.sample(KEY, denoise, START, sigmas, beyond)
    np.testing.assert_allclose(none, plain, rtol=1e-5)
    np.testing.assert_allclose(outside, plain, rtol=1e-5)


def test_path_begins_in_noise_and_ends_in_the_sample():
    sigmas = schedule.karras(5)
    states = solver.path(KEY, denoise, START, sigmas, solver.heun)
    assert states.shape == (6, 3, 1)
    np.testing.assert_array_equal(states[0], START)
    np.testing.assert_allclose(states[-1], solver.sample(KEY, denoise, START, sigmas, solver.heun), rtol=1e-6)
    np.testing.assert_allclose(states[1], solver.heun(KEY, denoise, START, sigmas[0], sigmas[1]), rtol=1e-6)
