"""Solvers on Gaussian data, whose denoiser and probability flow are closed forms.

For data N(m, s^2): D(x; sigma) = (s^2 x + sigma^2 m) / (s^2 + sigma^2), and the flow keeps
(x - m) / sqrt(s^2 + sigma^2) constant.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.diffusion import schedule, solver

KEY = jax.random.key(0)
M, S = 0.3, 0.5
START = jnp.asarray([[-3.0], [0.1], [4.0]])


def denoise(x, sigma):
    return (S**2 * x + sigma**2 * M) / (S**2 + sigma**2)


def flow(x, sigma, sigma_next):
    return M + (x - M) * jnp.sqrt((S**2 + sigma_next**2) / (S**2 + sigma**2))


@pytest.mark.parametrize("method, order", [(solver.euler, 1), (solver.heun, 2)])
def test_order_of_convergence(method, order):
    def error(num_steps):
        sigmas = jnp.linspace(2.0, 0.5, num_steps + 1)
        return np.abs(solver.sample(KEY, denoise, START, sigmas, method) - flow(START, 2.0, 0.5)).max()

    errors = np.array([error(n) for n in (8, 16, 32)])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), order, atol=0.15)


@pytest.mark.parametrize("method", [solver.euler, solver.heun])
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
