"""Probabilities of levels: against SciPy's logistic, and at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from adl.core import BadInput
from adl.pixel.likelihood import categories, logistic_mixture

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("levels", [2, 256])
def test_a_mixture_of_logistics_is_scipys(levels):
    output = RNG.normal(size=(50, 9)).astype("f")
    output[:, 6:] -= 2
    likelihood = logistic_mixture(levels, 3)
    odds, mean, log_scale = np.split(output.astype(float), 3, -1)
    edges = (2 * np.arange(levels + 1) - levels) / (levels - 1)
    edges[[0, -1]] = -np.inf, np.inf
    below = stats.logistic.cdf(edges[None, :, None], mean[:, None], np.exp(log_scale)[:, None])
    expected = (special.softmax(odds, -1)[:, None] * np.diff(below, axis=1)).sum(-1)
    logits = likelihood.logits(jnp.asarray(output))
    np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(special.logsumexp(np.float64(logits), -1), 0, atol=1e-4)
    level = RNG.integers(0, levels, 50)
    told = likelihood.surprise(jnp.asarray(output), jnp.asarray(level))
    np.testing.assert_allclose(told, -logits[np.arange(50), level], rtol=1e-5, atol=1e-5)


def test_a_sharp_logistic_far_from_a_level_is_finite_with_its_gradient():
    likelihood = logistic_mixture(256, 1)
    for output in ([0.0, 30.0, -40.0], [0.0, -30.0, 40.0], [0.0, 0.0, -40.0]):
        value, slope = jax.value_and_grad(lambda out: likelihood.surprise(out[None], jnp.array([100]))[0])(
            jnp.array(output)
        )
        assert np.isfinite(value) and value >= 0 and np.isfinite(slope).all()


def test_too_few_levels_or_components_are_refused():
    with pytest.raises(BadInput, match="pixels of 1 levels"):
        categories(1)
    with pytest.raises(BadInput, match="pixels of 0 levels"):
        logistic_mixture(0, 2)
    with pytest.raises(BadInput, match="a mixture of 0 logistics"):
        logistic_mixture(4, 0)
