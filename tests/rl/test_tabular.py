"""What is learned against what planning knows: values by the linear system, actions by value iteration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput, jitted, repeated, until_still
from adl.rl.dynamic_programming import value_iteration
from adl.rl.environment.grid import MAPS, GridMap, Spot, grid_outcomes, grid_world, walk_map
from adl.rl.environment.pendulum import pendulum
from adl.rl.environment.wrappers import time_limit
from adl.rl.mdp import action_values, garnet, mdp_of, policy_value, tabled
from adl.rl.tabular import (
    expected_sarsa,
    monte_carlo,
    mostly_greedy,
    q_learning,
    sarsa,
    td_control,
    td_lambda,
)

KEY = jax.random.key(0)
OUTCOMES = garnet(5, 5, 2, 3, end=0.2)
PROCESS, DISCOUNT = mdp_of(OUTCOMES), 0.8
POLICY = jax.random.dirichlet(KEY, jnp.ones(2), (5,))


def lived(alg, steps: int, calls: int = 1):
    """The state after so many steps."""
    alg = jitted(repeated(alg, steps))
    state = alg.init(KEY, ())
    for key in jax.random.split(KEY, calls):
        state, metrics = alg.step(key, state, ())
    return state, metrics


def test_q_learning_comes_to_the_best_and_sarsa_to_its_own_policys_worth():
    """Steps of 1 / n^0.7, 64 copies; what SARSA converges to is the fixed point of its own exploring policy."""
    world, options = tabled(OUTCOMES), {"num_states": 5, "step_size": 1.0, "decay": 0.7, "discount": DISCOUNT}
    best = until_still(value_iteration(PROCESS, discount=DISCOUNT), tolerance=1e-6, max_steps=500)(KEY, ())[0]
    want = action_values(PROCESS, best.value, DISCOUNT)
    agent, _ = lived(td_control(world, backup=q_learning, epsilon=0.5, num_envs=64, **options), 8000)
    np.testing.assert_allclose(agent.q, want, atol=0.06)
    own = want
    for _ in range(200):
        own = action_values(PROCESS, (mostly_greedy(own, 0.5) * own).sum(-1), DISCOUNT)
    assert np.abs(own - want).max() > 0.2
    for backup in (sarsa, expected_sarsa):
        agent, _ = lived(td_control(world, backup=backup, epsilon=0.5, num_envs=64, **options), 8000)
        np.testing.assert_allclose(agent.q, own, atol=0.06, err_msg=backup.__name__)


@pytest.mark.parametrize("method", ["td_0", "td_0.6", "first", "every"])
def test_prediction_comes_to_the_linear_systems_values(method):
    world, options = tabled(OUTCOMES), {"policy": POLICY, "discount": DISCOUNT, "num_envs": 64}
    if method.startswith("td_"):
        alg = td_lambda(world, step_size=0.005, lam=float(method[3:]), **options)
    else:
        alg = monte_carlo(world, visits=method, **options)
    state, _ = lived(alg, 4000)
    np.testing.assert_allclose(state.value, policy_value(PROCESS, POLICY, DISCOUNT), atol=0.05)


def walk_by_hand(states, rewards, first: bool, discount: float):
    """Sums and counts of the returns of one episode."""
    total, count = np.zeros(5), np.zeros(5)
    for t, s in enumerate(states):
        if not (first and s in states[:t]):
            total[s] += sum(discount**k * r for k, r in enumerate(rewards[t:]))
            count[s] += 1
    return total, count


@pytest.mark.parametrize("first", [True, False])
def test_monte_carlo_counts_returns_as_by_hand(first):
    """Of one copy, over several episodes and the beginning of another, which does not count."""
    env = grid_world(walk_map(3))
    alg = monte_carlo(env, policy=jnp.full((5, 2), 0.5), visits="first" if first else "every", discount=0.9)
    step = jax.jit(alg.step)
    state = alg.init(KEY, ())
    total, count, states, rewards, episodes = np.zeros(5), np.zeros(5), [], [], 0
    for key in jax.random.split(KEY, 60):
        states.append(int(state.copies.obs[0]))
        before = float(state.copies.current.total[0])
        state, metrics = step(key, state, ())
        ended = float(metrics["return"].count) > 0
        rewards.append(float(metrics["return"].total) - before if ended else 0.0)
        if ended:
            more = walk_by_hand(states, rewards, first, 0.9)
            total, count, states, rewards, episodes = total + more[0], count + more[1], [], [], episodes + 1
        np.testing.assert_allclose(state.total, total, atol=1e-5)
        np.testing.assert_array_equal(state.count, count)
    assert episodes > 5


def test_td_with_lambda_one_is_monte_carlo_of_every_visit_for_small_steps():
    """What one episode moves, over the step size, is the sum over visits of return - value."""
    env, alpha = grid_world(walk_map(3)), 1e-4
    policy = jnp.full((5, 2), 0.5)
    online, counted = (
        td_lambda(env, policy=policy, step_size=alpha, lam=1.0),
        monte_carlo(env, policy=policy, visits="every"),
    )
    a, b = online.init(KEY, ()), counted.init(KEY, ())
    steps = jax.jit(online.step), jax.jit(counted.step)
    for key in jax.random.split(KEY, 100):
        a, told = steps[0](key, a, ())
        b, same = steps[1](key, b, ())
        assert float(told["length"].total) == float(same["length"].total), "the same walk"
    # Of the walk in progress TD has learned nothing yet, for the values are small.
    np.testing.assert_allclose(a.value / alpha, b.total, atol=0.02 * float(b.count.max()))
    assert np.abs(b.total).max() > 3


def test_one_step_of_each_backup_is_its_formula():
    q, prob = jnp.array([1.0, 3.0, 2.0]), jnp.array([0.2, 0.5, 0.3])
    assert q_learning(q, prob, 2) == 3 and sarsa(q, prob, 2) == 2
    np.testing.assert_allclose(expected_sarsa(q, prob, 2), 0.2 + 1.5 + 0.6, rtol=1e-6)
    np.testing.assert_allclose(mostly_greedy(jnp.array([1.0, 3.0, 3.0]), 0.3), [0.1, 0.45, 0.45], rtol=1e-6)


def test_a_cut_episode_is_worth_what_it_left_and_a_finished_one_nothing():
    """Of one copy in a corridor: on its last move the worth of the cell that it reached counts, beyond a goal none."""
    grid = MAPS["maze"]
    env = time_limit(tabled(grid_outcomes(grid)), 1)
    alg = td_control(env, num_states=54, backup=q_learning, step_size=1.0, epsilon=0.0, discount=0.5, initial=8.0)
    state = alg.init(KEY, ())
    before = int(state.action[0])
    state, _ = alg.step(KEY, state, ())
    assert state.q[18, before] == 4.0 and (state.q == 8).sum() == state.q.size - 1 and state.copies.obs[0] == 18
    corridor = grid_world(GridMap(("SG",), {"G": Spot(3, "end")}, "R"))
    alg = td_control(corridor, num_states=2, backup=q_learning, step_size=1.0, epsilon=0.0, discount=0.5, initial=8.0)
    state, _ = alg.step(KEY, alg.init(KEY, ()), ())
    assert state.q[0, 0] == 3 and state.q[1, 0] == 8


def test_the_action_of_a_sarsa_backup_is_the_one_taken():
    env = grid_world(MAPS["cliff"])
    alg = td_control(env, num_states=48, backup=sarsa, step_size=0.5, epsilon=1.0)
    step, state = jax.jit(alg.step), alg.init(KEY, ())
    # Worths that tell which action was backed up.
    state = state._replace(q=jnp.arange(192.0).reshape(48, 4))
    for key in jax.random.split(KEY, 20):
        at, action, q = int(state.copies.obs[0]), int(state.action[0]), state.q
        state, told = step(key, state, ())
        reward = -100 if int(state.copies.obs[0]) == 36 and at not in (24, 36) and at > 24 else -1
        if float(told["return"].count) == 0:
            following = q[state.copies.obs[0], state.action[0]]
            want = q[at, action] + 0.5 * (reward + following - q[at, action])
            np.testing.assert_allclose(state.q[at, action], want, rtol=1e-6)


def test_vectors_are_refused():
    with pytest.raises(BadInput, match="td_control chooses one of several actions"):
        td_control(pendulum(), num_states=3, backup=sarsa, step_size=0.1)
