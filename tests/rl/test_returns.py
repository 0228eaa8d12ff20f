"""Returns of some steps by loops in NumPy, over ends of both kinds."""

import itertools

import jax
import numpy as np
import pytest

from adl.rl.advantage import gae
from adl.rl.returns import lambda_returns, n_step

RNG = np.random.default_rng(0)


def by_hand(reward, terminated, truncated, value, discount):
    """G, with the value of what follows the step that the window ends with."""
    total = 0.0
    for t in range(len(reward)):
        total += discount**t * reward[t]
        if terminated[t]:
            return total
        if truncated[t] or t == len(reward) - 1:
            return total + discount ** (t + 1) * value[t]


@pytest.mark.parametrize("n", [1, 3])
def test_n_step_returns_end_with_the_episode(n):
    for ends in itertools.product([(False, False), (True, False), (False, True)], repeat=n):
        terminated, truncated = np.array(ends).T
        reward, value = RNG.normal(size=(2, n)).astype("f")
        ahead = n_step(reward, terminated, truncated, 0.9)
        got = ahead.reward + ahead.discount * value[ahead.last]
        np.testing.assert_allclose(got, by_hand(reward, terminated, truncated, value, 0.9), rtol=1e-5)


def test_lambda_returns_are_values_plus_advantages():
    """Where the value of the next observation is that of the next step, as it is within an episode."""
    reward, discount = RNG.normal(size=(7, 2)).astype("f"), (0.9 * (RNG.uniform(size=(7, 2)) < 0.8)).astype("f")
    value = RNG.normal(size=(8, 2)).astype("f")
    for lam in (0.0, 0.7, 1.0):
        want = value[:-1] + gae(reward, discount, value[:-1], value[1:], lam=lam)
        np.testing.assert_allclose(lambda_returns(reward, discount, value[1:], lam=lam), want, rtol=2e-5, atol=1e-5)


def test_a_cut_episode_goes_on_by_its_own_last_observation():
    reward, value = np.ones(4, "f"), np.array([10.0, 20.0, 30.0, 40.0], "f")
    truncated = np.array([False, True, False, False])
    got = jax.jit(lambda: lambda_returns(reward, np.full(4, 0.5, "f"), value, lam=1.0 * ~truncated))()
    np.testing.assert_allclose(got, [1 + 0.5 * (1 + 0.5 * 20), 1 + 0.5 * 20, 1 + 0.5 * (1 + 0.5 * 40), 1 + 0.5 * 40])
