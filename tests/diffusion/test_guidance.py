"""Guidance is linear in its scale, and passes through both predictions."""

import jax.numpy as jnp
import numpy as np
import pytest

from adl.diffusion import guidance

X, SIGMA = jnp.asarray([[1.0], [-2.0]]), jnp.asarray(0.5)


def conditional(x, sigma):
    return 3 * x + sigma


def unconditional(x, sigma):
    return x - sigma


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 4.0])
def test_guidance_is_the_line_through_both(scale):
    got = guidance.classifier_free(conditional, unconditional, scale)(X, SIGMA)
    expected = (1 - scale) * unconditional(X, SIGMA) + scale * conditional(X, SIGMA)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    of_arrays = guidance.away_from(unconditional(X, SIGMA), conditional(X, SIGMA), scale)
    np.testing.assert_allclose(of_arrays, expected, rtol=1e-6)


def test_guidance_tilts_gaussian_scores():
    """For N(mu, s^2) against N(0, s^2), D_w is the denoiser of N(w mu, s^2): the score of p(x) p(c | x)^w."""

    def gaussian(mean):
        return lambda x, sigma: (0.25 * x + sigma**2 * mean) / (0.25 + sigma**2)

    got = guidance.classifier_free(gaussian(0.7), gaussian(0.0), 3.0)(X, SIGMA)
    np.testing.assert_allclose(got, gaussian(2.1)(X, SIGMA), rtol=1e-5)
