"""Inpainting draws from the conditional Gaussian, and image to image keeps what its noise leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.diffusion import schedule, solver
from adl.diffusion.editing import edited, repainted

KEY = jax.random.key(0)
COVARIANCE = np.array([[1.0, 0.8], [0.8, 1.0]])
SIGMAS = schedule.karras(100, sigma_min=0.01, sigma_max=20.0)
IMAGE, MASK = jnp.array([[1.5, 0.0]]), jnp.array([[1.0, 0.0]])


def denoise(x, sigma):
    return x @ (COVARIANCE @ jnp.linalg.inv(COVARIANCE + sigma**2 * jnp.eye(2))).T


def inpainted(num_visits):
    start = SIGMAS[0] * jax.random.normal(KEY, (4000, 2))
    method = repainted(solver.ddim(1.0), IMAGE, MASK, num_visits=num_visits)
    return np.asarray(jax.jit(lambda x: solver.sample(jax.random.key(1), denoise, x, SIGMAS, method))(start))


def test_what_is_made_agrees_with_what_is_known():
    """x_2 given x_1 = 1.5 is N(1.2, 0.36); without going to and fro it leans towards its own mean."""
    x = inpainted(20)
    np.testing.assert_array_equal(x[:, 0], 1.5)
    np.testing.assert_allclose([x[:, 1].mean(), x[:, 1].std()], [1.2, 0.6], atol=0.06)
    assert inpainted(1)[:, 1].mean() < x[:, 1].mean() - 0.05


def test_editing_keeps_the_less_the_stronger_it_is():
    image = jnp.full((2000, 2), 1.0)
    far = [
        edited(KEY, denoise, image, SIGMAS, solver.heun, strength=strength) - image for strength in (0.0, 0.3, 0.6, 1.0)
    ]
    spread = [float(jnp.abs(x).mean()) for x in far]
    assert spread[0] == 0 and (np.diff(spread) > 0.05).all()
    anew = np.asarray(far[-1] + image)
    np.testing.assert_allclose(np.cov(anew.T), COVARIANCE, atol=0.1)  # nothing is left of the first


@pytest.mark.parametrize("strength", [-0.1, 1.1])
def test_what_cannot_be_done_is_told(strength):
    with pytest.raises(BadInput, match="in \\[0, 1\\]"):
        edited(KEY, denoise, IMAGE, SIGMAS, solver.heun, strength=strength)
    with pytest.raises(BadInput, match="at least 1"):
        repainted(solver.heun, IMAGE, MASK, num_visits=0)
