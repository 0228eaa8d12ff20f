"""Processes solve the equations that they are the solutions of, and keep the variance where they say so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from adl.core import BadInput
from adl.diffusion import process, schedule

TIMES = np.array([0.01, 0.2, 0.5, 0.9, 1.0])


def test_preserving_solves_its_stochastic_equation():
    """d mean = -beta mean / 2 dt, d variance = beta (1 - variance) dt."""
    slope = lambda t, y: np.array([-(0.1 + 19.9 * t) * y[0] / 2, (0.1 + 19.9 * t) * (1 - y[1])])  # noqa: E731
    want = solve_ivp(slope, (0, 1), [1.0, 0.0], t_eval=TIMES, rtol=1e-9, atol=1e-12).y
    found = process.preserving().signal(jnp.asarray(TIMES, jnp.float32))
    np.testing.assert_allclose(found.alpha, want[0], rtol=1e-4)
    np.testing.assert_allclose(found.sigma**2, want[1], rtol=1e-4)


def test_many_small_steps_are_the_stochastic_equation():
    """DDPM of the same rates: beta_i = beta(i / T) / T. Song et al. 2021, appendix B."""
    steps = process.discrete(5000, beta_min=0.1 / 5000, beta_max=20 / 5000)
    t = jnp.asarray(TIMES, jnp.float32)
    for found, want in zip(steps.signal(t), process.preserving().signal(t), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-2)


WAYS = [process.preserving(), process.discrete(), process.discrete_cosine(), process.cosine, process.log_ratio]


@pytest.mark.parametrize("way", WAYS)
def test_unit_variance_is_kept_and_noise_only_grows(way):
    signal = way.signal(jnp.linspace(0.01, 0.99, 50))
    np.testing.assert_allclose(signal.alpha**2 + signal.sigma**2, 1, rtol=1e-5)
    assert (jnp.diff(signal.sigma / signal.alpha) > 0).all()


def test_the_logarithm_of_the_ratio_is_a_time_far_out_as_well():
    t = jnp.array([-30.0, -8.0, 0.0, 5.0, 30.0])
    signal = process.log_ratio.signal(t)
    np.testing.assert_allclose(2 * (jnp.log(signal.sigma) - jnp.log(signal.alpha)), t, rtol=1e-5)
    np.testing.assert_allclose(process.log_ratio.time(signal.sigma / signal.alpha), t, rtol=1e-5, atol=1e-6)


def test_levels_at_even_times_are_the_processes():
    sigmas = schedule.even(process.discrete(), 4)
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[[999, 749, 499, 249]]
    np.testing.assert_allclose(sigmas[:-1], np.sqrt((1 - kept) / kept), rtol=1e-4)
    assert sigmas[-1] == 0
    np.testing.assert_allclose(schedule.even(process.straight, 2, first=0.5), [1, 1 / 3, 0], rtol=1e-6)
    assert jnp.isfinite(jax.jit(lambda: schedule.even(process.preserving(), 10))()).all()


@pytest.mark.parametrize(
    "make, wrong",
    [
        (lambda: process.preserving(beta_min=2.0, beta_max=1.0), "0 < beta_min < beta_max"),
        (lambda: process.discrete(1), "at least 2"),
        (lambda: schedule.even(process.cosine, 0), "at least 1"),
    ],
)
def test_what_is_no_process_is_told(make, wrong):
    with pytest.raises(BadInput, match=wrong):
        make()
