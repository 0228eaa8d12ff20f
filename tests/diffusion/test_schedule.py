"""The noise levels of Karras et al. (2022), equation 5, and those at even times."""

import jax
import numpy as np
import pytest

from adl.diffusion import process, schedule


@pytest.mark.parametrize("rho", [1.0, 7.0])
def test_levels_are_the_formula(rho):
    sigmas = np.asarray(schedule.karras(18, sigma_min=0.002, sigma_max=80.0, rho=rho))
    i = np.arange(18)
    expected = (80 ** (1 / rho) + i / 17 * (0.002 ** (1 / rho) - 80 ** (1 / rho))) ** rho
    assert sigmas.shape == (19,)
    np.testing.assert_allclose(sigmas[:-1], expected, rtol=1e-4)
    assert sigmas[-1] == 0 and (np.diff(sigmas) < 0).all()


def test_large_rho_is_even_in_the_logarithm():
    logs = np.log(np.asarray(schedule.karras(10, rho=1e3))[:-1])
    np.testing.assert_allclose(np.diff(logs), np.diff(logs).mean(), rtol=0.02)


def test_even_times_may_begin_at_a_swept_level():
    """The first time is a value of the program, that of the largest noise level."""
    begin = jax.jit(lambda sigma: schedule.even(process.straight, 4, first=process.straight.time(sigma)))
    time = 40 / 41 * np.array([1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(begin(40.0), time / (1 - time), rtol=1e-4)
