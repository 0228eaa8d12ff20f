"""The warm-up: Stan's schedule as BlackJAX has it, moments as NumPy's, a step size that reaches its acceptance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from blackjax.adaptation.staged_adaptation import build_schedule

from adl.sampling import adaptation

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("num_warmup", [1, 19, 20, 33, 149, 150, 151, 300, 500, 777, 1000, 2000, 10_000])
def test_windows_are_stans(num_warmup):
    is_slow, is_end = adaptation.windows(num_warmup)
    want = np.array([(bool(stage), end) for stage, end in build_schedule(num_warmup)])
    np.testing.assert_array_equal(is_slow[:-1], want[:, 0])
    np.testing.assert_array_equal(is_end[:-1], want[:, 1])
    assert not is_slow[-1] and not is_end[-1]


@pytest.mark.parametrize("shape", [(3,), (3, 3)])
def test_moments_are_numpys(shape):
    x = jnp.asarray(100 + RNG.normal(size=(40, 3)) @ RNG.normal(size=(3, 3)), "float32")
    state, _ = jax.lax.scan(lambda s, x: (adaptation.observed(s, x), None), adaptation.moments(jnp.zeros(shape)), x)
    covariance = np.cov(np.asarray(x, float), rowvar=False)
    want, unit = (covariance, np.eye(3)) if len(shape) == 2 else (covariance.diagonal(), np.ones(3))
    np.testing.assert_allclose(state.squares / 39, want, rtol=1e-3)
    np.testing.assert_allclose(adaptation.regularised(state), (40 * want + 5e-3 * unit) / 45, rtol=1e-3)


@pytest.mark.parametrize("target", [0.6, 0.8, 0.95])
def test_dual_averaging_finds_the_root(target):
    """Acceptance exp(-step) + noise: at the step size that is kept it is the target, up to O(1 / sqrt(updates))."""

    def update(state, noise):
        acceptance = jnp.exp(-jnp.exp(state.log_step)) + noise
        return adaptation.searched(state, acceptance, target=target), None

    noise = 0.05 * jnp.asarray(RNG.normal(size=3000), "float32")
    state, _ = jax.lax.scan(update, adaptation.dual_averaging(jnp.float32(7.0)), noise)
    np.testing.assert_allclose(jnp.exp(-jnp.exp(state.log_average)), target, atol=0.01)


def test_nothing_adapts_after_the_warmup():
    state, seen = adaptation.begun(jnp.ones(2), 0.5), []
    for position in jnp.asarray(RNG.normal(size=(60, 2)), "float32"):
        state = adaptation.adapted(state, position, jnp.float32(0.3), num_warmup=30, target=0.8)
        seen.append(jax.device_get((state.averaging, state.moments, state.inverse_mass)))
    jax.tree.map(np.testing.assert_array_equal, seen[29], seen[-1])
    assert not np.array_equal(seen[28][0].log_step, seen[29][0].log_step)
    assert state.count == 60
    np.testing.assert_allclose(adaptation.step_size(state, 30), np.exp(seen[-1][0].log_average), rtol=1e-6)


def test_without_warmup_the_step_size_is_as_given():
    state = adaptation.begun(jnp.ones(2), 0.3)
    state = adaptation.adapted(state, jnp.ones(2), jnp.float32(0.0), num_warmup=0, target=0.8)
    np.testing.assert_allclose(adaptation.step_size(state, 0), 0.3, rtol=1e-6)
