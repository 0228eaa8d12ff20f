"""Planning against the enumeration of all policies, and values against the linear system in double precision."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import until_still
from adl.rl.dynamic_programming import policy_iteration, value_iteration
from adl.rl.environment.grid import MAPS, grid_outcomes
from adl.rl.mdp import action_values, garnet, mdp_of, policy_return, policy_value

KEY = jax.random.key(0)
PROCESS = mdp_of(garnet(3, 6, 3, 2, end=0.1))
DISCOUNT = 0.9


def by_numpy(policy):
    """The value of a deterministic policy `[S]`."""
    rows = np.arange(len(policy))
    transition, reward = (np.asarray(x, float)[rows, policy] for x in (PROCESS.transition, PROCESS.reward))
    return np.linalg.solve(np.eye(len(policy)) - DISCOUNT * transition, reward)


def enumerated():
    """The best of all 3^6 policies: in every state at once."""
    values = {policy: by_numpy(np.array(policy)) for policy in itertools.product(range(3), repeat=6)}
    policy = max(values, key=lambda p: values[p].sum())
    assert all((values[policy] >= value - 1e-9).all() for value in values.values())
    return np.array(policy), values[policy]


def test_a_policys_value_is_the_linear_systems():
    policy = jax.random.dirichlet(KEY, jnp.ones(3), (6,))
    transition = np.einsum("sa,sat->st", np.asarray(policy, float), PROCESS.transition)
    want = np.linalg.solve(np.eye(6) - DISCOUNT * transition, (np.asarray(policy) * PROCESS.reward).sum(-1))
    value = policy_value(PROCESS, policy, DISCOUNT)
    np.testing.assert_allclose(value, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose((policy * action_values(PROCESS, value, DISCOUNT)).sum(-1), value, rtol=1e-4)


@pytest.mark.parametrize("method", [value_iteration, policy_iteration])
def test_the_plan_is_the_best_of_all_policies(method):
    plan, count = until_still(method(PROCESS, discount=DISCOUNT), tolerance=1e-6, max_steps=500)(KEY, ())
    policy, value = enumerated()
    np.testing.assert_array_equal(plan.action, policy)
    np.testing.assert_allclose(plan.value, value, rtol=1e-4)
    assert count < 500 if method is value_iteration else count < 6


def test_a_sweep_shrinks_the_error_by_the_discount():
    alg, (_, best) = value_iteration(PROCESS, discount=DISCOUNT), enumerated()
    state = alg.init(KEY, ())
    for _ in range(20):
        error = np.abs(state.value - best).max()
        state, _ = alg.step(KEY, state, ())
        assert np.abs(state.value - best).max() <= DISCOUNT * error + 1e-5


def test_returns_of_cut_episodes_are_powers_of_the_transitions():
    policy, limit = np.full((6, 3), 1 / 3), 7
    transition = np.einsum("sa,sat->st", policy, PROCESS.transition)
    reward = (policy * PROCESS.reward).sum(-1)
    want = sum(PROCESS.start @ np.linalg.matrix_power(transition, t) @ reward for t in range(limit))
    np.testing.assert_allclose(policy_return(PROCESS, policy, limit=limit), want, rtol=1e-5)


def test_cliff_and_lake_have_their_known_optima():
    """The shortest way along the cliff is 13; Gymnasium notes 0.74 and 0.91 for the lakes."""
    for name, best in {"cliff": -13, "lake": 0.74, "large_lake": 0.91}.items():
        process = mdp_of(grid_outcomes(MAPS[name]))
        plan, _ = until_still(value_iteration(process, discount=0.999), tolerance=1e-6, max_steps=5000)(KEY, ())
        policy = jax.nn.one_hot(plan.action, process.reward.shape[1])
        found = policy_return(process, policy, limit=MAPS[name].limit)
        assert abs(found - best) < (0.01 if name == "cliff" else 0.06), (name, found)
