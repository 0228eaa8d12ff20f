"""Guidance is linear in its scale, and passes through both predictions."""

import jax
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


def test_a_classifiers_slope_makes_the_denoiser_of_the_class():
    """Bayes' rule: of N(+-0.7, s^2) in equal parts, and its exact classifier, w = 1 is N(0.7, s^2)'s denoiser."""

    def log_odds(x, sigma):
        return 2 * 0.7 * x[:, 0] / (0.25 + sigma**2)

    def both(x, sigma):
        center = 0.7 * jnp.tanh(log_odds(x, sigma) / 2)[:, None]
        return (0.25 * x + sigma**2 * center) / (0.25 + sigma**2)

    log_prob = lambda x, sigma: jax.nn.log_sigmoid(log_odds(x, sigma))  # noqa: E731
    want = (0.25 * X + SIGMA**2 * 0.7) / (0.25 + SIGMA**2)
    np.testing.assert_allclose(guidance.by_classifier(both, log_prob, 1.0)(X, SIGMA), want, rtol=1e-5)
    np.testing.assert_allclose(guidance.by_classifier(both, log_prob, 0.0)(X, SIGMA), both(X, SIGMA), rtol=1e-6)
    each = jnp.array([0.5, 2.0])
    rows = [guidance.by_classifier(both, log_prob, 3.0)(X[i : i + 1], each[i]) for i in range(2)]
    of_levels = lambda fn: lambda x, sigma: jnp.concatenate([fn(x[i : i + 1], sigma[i]) for i in range(2)])  # noqa: E731
    together = guidance.by_classifier(of_levels(both), of_levels(log_prob), 3.0)(X, each)
    np.testing.assert_allclose(together, jnp.concatenate(rows), rtol=1e-5)
