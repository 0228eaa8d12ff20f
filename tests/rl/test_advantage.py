"""Generalised advantages against the double sum that defines them, episode by episode."""

import jax.numpy as jnp
import numpy as np
import pytest

from adl.rl.advantage import gae

T, GAMMA = 40, 0.9
RNG = np.random.default_rng(0)
REWARD, VALUE, NEXT = (RNG.normal(size=T) for _ in range(3))
TERMINATED = np.isin(np.arange(T), [5, 6, 20, 33])
TRUNCATED = np.isin(np.arange(T), [10, 20, 28])


def brute_force(lam: float) -> np.ndarray:
    """sum_{l >= 0} (gamma lam)^l delta_{t+l}, l not beyond the end of t's episode."""
    advantages = np.zeros(T)
    for t in range(T):
        for l in range(T - t):  # noqa: E741 - the paper's letter
            s = t + l
            bootstrap = 0.0 if TERMINATED[s] else GAMMA * NEXT[s]
            advantages[t] += (GAMMA * lam) ** l * (REWARD[s] + bootstrap - VALUE[s])
            if TERMINATED[s] or TRUNCATED[s]:
                break
    return advantages


def ours(lam: float, columns: int = 0) -> np.ndarray:
    arrays = REWARD, GAMMA * ~TERMINATED, VALUE, NEXT, lam * ~TRUNCATED
    if columns:
        arrays = [np.stack([array] * columns, 1) for array in arrays]
    *arrays, lam = (jnp.asarray(array, "float32") for array in arrays)
    return np.asarray(gae(*arrays, lam=lam))


@pytest.mark.parametrize("lam", [0.0, 0.5, 0.95, 1.0])
def test_is_the_sum_that_defines_it(lam):
    np.testing.assert_allclose(ours(lam), brute_force(lam), rtol=1e-4, atol=1e-5)


def test_trajectories_side_by_side():
    np.testing.assert_allclose(ours(0.95, columns=3), np.stack([brute_force(0.95)] * 3, 1), rtol=1e-4, atol=1e-5)


def test_with_lambda_one_advantage_and_value_are_the_discounted_return():
    """Also with values of which none is right: but for the last they cancel."""
    reward, value = jnp.asarray(REWARD, "float32"), jnp.asarray(VALUE, "float32")
    advantage = gae(reward, jnp.full(T, GAMMA), value, jnp.append(value[1:], 3.0), lam=1.0)
    want = [sum(GAMMA**k * r for k, r in enumerate(REWARD[t:])) + GAMMA ** (T - t) * 3.0 for t in range(T)]
    np.testing.assert_allclose(advantage + value, want, rtol=1e-4, atol=1e-5)


def test_shapes_must_agree():
    with pytest.raises(AssertionError):
        gae(jnp.ones(3), jnp.ones(()), jnp.ones(3), jnp.ones(3), lam=1.0)
