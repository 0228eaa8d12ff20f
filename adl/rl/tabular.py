"""Learning what states and actions are worth by living in them, a number for each: control and prediction.

    q(S, A) <- q(S, A) + a [R + discount backup(S') - q(S, A)]

One backup differs from the other in what it takes the next state to be worth. E copies of a world are played side by
side, a move of each a step; what several of them say of the same number is averaged, so that with one copy each step
is the textbook's. Observations are integers, the number of a state.

Source: Sutton & Barto 2018, Reinforcement Learning, chapters 5, 6 and 12.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, BadInput, Mean, accumulate, tree
from adl.core.types import Array, Key
from adl.rl.environment.world import Environment, num_choices
from adl.rl.rollout import Copies, collect, start

# (q [A] of the next state, probability [A] of its actions, the action [] that is taken there) -> its worth []
Backup = Callable[[Array, Array, Array], Array]


def q_learning(q: Array, prob: Array, action: Array) -> Array:
    """Worth of the best action, whatever is done. Source: Watkins & Dayan 1992, Machine Learning 8; eq. 6.8."""
    return q.max()


def sarsa(q: Array, prob: Array, action: Array) -> Array:
    """Worth of the action that is taken. Source: Rummery & Niranjan 1994, CUED/F-INFENG/TR 166; eq. 6.7."""
    return q[action]


def expected_sarsa(q: Array, prob: Array, action: Array) -> Array:
    """Worth of the policy: `sarsa` without its luck. Source: van Seijen et al. 2009 (IEEE ADPRL); eq. 6.9."""
    return (prob * q).sum()


class Tabular(NamedTuple):
    """What is known of each action, among copies of the world; `axes` is `Tabular(None, None, 0, 0)`."""

    q: Array  # [S, A] worth of each action
    visits: Array  # [S, A] how often it was moved
    copies: Copies  # [E, ...]
    action: Array  # [E] int32, to be taken next


def mostly_greedy(q: Array, epsilon: Array | float) -> Array:
    """Probabilities `[..., A]`: any action with epsilon, else one of the best.

    Args:
      q: `[..., A]` worth of each action.
      epsilon: in [0, 1].
    """
    best = q == q.max(-1, keepdims=True)
    return epsilon / q.shape[-1] + (1 - epsilon) * best / best.sum(-1, keepdims=True)


def td_control(
    env: Environment,
    *,
    num_states: int,
    backup: Backup,
    step_size: Array | float,
    decay: Array | float = 0.0,
    epsilon: Array | float = 0.1,
    discount: Array | float = 1.0,
    initial: float = 0.0,
    num_envs: int = 1,
    axis: str | None = None,
) -> Algorithm:
    """Q-learning, SARSA or expected SARSA; state is a `Tabular`, the batch is `()`.

    The next action is chosen before q moves, of which `sarsa` makes use. Reports "loss", the mean squared error of
    temporal differences, and "return" and "length" of the episodes that ended.

    Args:
      env: with choices, and observations 0 ... S - 1.
      num_states: S >= 1.
      backup: `q_learning`, `sarsa`, `expected_sarsa`, or another.
      step_size: a in (0, 1].
      decay: d >= 0: the n-th move of a number is by a / n^d; above 1/2 and up to 1 it converges, by Robbins & Monro.
      epsilon: in [0, 1], share of moves that are any action.
      discount: in [0, 1].
      initial: of each worth; what exceeds all that can be had makes an agent try everything.
      num_envs: E >= 1, copies over all devices.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: if actions are vectors.

    Source: Sutton & Barto 2018, sections 6.4 to 6.6.
    """
    num_actions = num_choices(env, "td_control")

    def chosen(key, q, obs):
        return jax.random.categorical(key, jnp.log(mostly_greedy(q[obs], epsilon))).astype(jnp.int32)

    def measure(key, agent, seen, action):
        q = agent.q[seen.next_obs]
        worth = jax.vmap(backup)(q, mostly_greedy(q, epsilon), action)
        error = seen.reward + discount * ~seen.terminated * worth - agent.q[seen.obs, seen.action]
        zeros = jnp.zeros_like(agent.q)
        sums = (zeros.at[seen.obs, seen.action].add(x) for x in (error, 1.0))
        return tuple(sums), {"loss": Mean.of(jnp.square(error))}

    def move(agent, sums):
        total, count = sums
        visits = agent.visits + (count > 0)
        rate = step_size / jnp.maximum(visits, 1) ** decay
        return agent._replace(q=agent.q + rate * total / jnp.maximum(count, 1), visits=visits)

    update = accumulate(measure, move, axis)

    def init(key, batch=()):
        env_key, key = jax.random.split(key)
        copies, q = start(env_key, env, num_envs, window=1), jnp.full((num_states, num_actions), initial, jnp.float32)
        return Tabular(q, jnp.zeros_like(q), copies, chosen(key, q, copies.obs))

    def step(key, agent, batch=()):
        play_key, on_key, anew_key, key = jax.random.split(key, 4)
        copies, seen, metrics = collect(play_key, env, lambda key, obs: (agent.action, ()), agent.copies, 1)
        seen = tree.take(seen, 0)
        following = chosen(on_key, agent.q, seen.next_obs)
        action = jnp.where(seen.terminated | seen.truncated, chosen(anew_key, agent.q, copies.obs), following)
        agent, told = update(key, agent, seen, following)
        return agent._replace(copies=copies, action=action), {**told, **metrics}

    return Algorithm(init, step, Tabular(None, None, 0, 0))


class Valued(NamedTuple):
    """What is known of each state under a policy; `axes` is `Valued(None, 0, 0)`."""

    value: Array  # [S]
    trace: Array  # [E, S] how much what happens now says of each state
    copies: Copies  # [E, ...]


def td_lambda(
    env: Environment,
    *,
    policy: Array,
    step_size: Array | float,
    lam: Array | float,
    discount: Array | float = 1.0,
    num_envs: int = 1,
    axis: str | None = None,
) -> Algorithm:
    """Online TD(lambda) with accumulating traces; state is a `Valued`, the batch is `()`.

    z <- discount lam z + 1[S],   v <- v + a delta z,   delta = R + discount v(S') - v(S)

    TD(0) with lam = 0; with 1, and small steps, Monte Carlo of every visit. Reports "loss", the mean squared delta,
    and "return" and "length" of the episodes that ended.

    Args:
      env: with choices, and observations 0 ... S - 1.
      policy: `[S, A]` probability of each action, whose value it is.
      step_size: a > 0.
      lam: in [0, 1].
      discount: in [0, 1].
      num_envs: E >= 1, copies over all devices; a state moves by the mean over those that remember it.
      axis: name of the mapped axis, or None.

    Source: Sutton 1988, Machine Learning 3; Sutton & Barto 2018, section 12.2.
    """

    def measure(key, agent, seen):
        value = agent.value
        delta = seen.reward + discount * ~seen.terminated * value[seen.next_obs] - value[seen.obs]
        sums = (delta[:, None] * agent.trace).sum(0), (agent.trace > 0).sum(0)
        return sums, {"loss": Mean.of(jnp.square(delta))}

    def move(agent, sums):
        total, count = sums
        return agent._replace(value=agent.value + step_size * total / jnp.maximum(count, 1))

    update = accumulate(measure, move, axis)

    def init(key, batch=()):
        copies = start(key, env, num_envs, window=1)
        return Valued(jnp.zeros(len(policy)), jnp.zeros((num_envs, len(policy))), copies)

    def step(key, agent, batch=()):
        copies, seen, metrics = collect(key, env, act_by(policy), agent.copies, 1)
        seen = tree.take(seen, 0)
        trace = discount * lam * agent.trace + jax.nn.one_hot(seen.obs, len(policy))
        agent, told = update(key, agent._replace(trace=trace), seen)
        trace = tree.where(seen.terminated | seen.truncated, jnp.zeros_like(trace), trace)
        return Valued(agent.value, trace, copies), {**told, **metrics}

    return Algorithm(init, step, Valued(None, 0, 0))


class Returns(NamedTuple):
    """Returns from each state on, of finished episodes; `axes` is `Returns(None, None, 0, 0, 0, 0)`."""

    total: Array  # [S] sum of returns
    count: Array  # [S] of visits that these are of
    discounted: Array  # [E, S] what a reward now counts for the visits to each state in this episode, summed
    earned: Array  # [E, S] what came after these visits so far, summed
    visited: Array  # [E, S] how many these are
    copies: Copies  # [E, ...]

    @property
    def value(self) -> Array:
        """`[S]` mean returns; 0 of states that no finished episode visited."""
        return self.total / jnp.maximum(self.count, 1)


def monte_carlo(
    env: Environment,
    *,
    policy: Array,
    visits: Literal["first", "every"] = "first",
    discount: Array | float = 1.0,
    num_envs: int = 1,
    axis: str | None = None,
) -> Algorithm:
    """Mean returns from the first visit to each state on, or from every visit; state is `Returns`, the batch is `()`.

    Of an episode that is cut nothing is kept: its return is not known. Reports "loss", the mean squared difference of
    the returns to the values before them, and "return" and "length" of the episodes that ended.

    Args:
      env: with choices, and observations 0 ... S - 1.
      policy: `[S, A]` probability of each action, whose value it is.
      visits: first: unbiased; every: biased, and of less variance at first.
      discount: in [0, 1].
      num_envs: E >= 1, copies over all devices.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: for other visits.

    Source: Singh & Sutton 1996, Machine Learning 22; Sutton & Barto 2018, section 5.1.
    """
    num_states = len(policy)
    if visits not in ("first", "every"):
        raise BadInput(f"no visits {visits!r}: there are first and every")

    def measure(key, agent, ended):
        visited = jnp.where(ended[:, None], agent.visited, 0)
        mean = agent.earned / jnp.maximum(visited, 1)
        sums = jnp.where(ended[:, None], agent.earned, 0).sum(0), visited.sum(0)
        return sums, {"loss": Mean.of(jnp.square(mean - agent.value[None]), visited)}

    def move(agent, sums):
        total, count = sums
        return agent._replace(total=agent.total + total, count=agent.count + count)

    update = accumulate(measure, move, axis)

    def init(key, batch=()):
        zeros = jnp.zeros((num_envs, num_states))
        copies = start(key, env, num_envs, window=1)
        return tree.copy(Returns(zeros[0], zeros[0], zeros, zeros, zeros, copies))

    def step(key, agent, batch=()):
        copies, seen, metrics = collect(key, env, act_by(policy), agent.copies, 1)
        seen = tree.take(seen, 0)
        new = jax.nn.one_hot(seen.obs, num_states)
        new = new * (agent.visited == 0) if visits == "first" else new
        discounted = discount * agent.discounted + new
        earned = agent.earned + discounted * seen.reward[:, None]
        agent = agent._replace(discounted=discounted, earned=earned, visited=agent.visited + new, copies=copies)
        agent, told = update(key, agent, seen.terminated)
        own = (agent.discounted, agent.earned, agent.visited)
        own = tree.where(seen.terminated | seen.truncated, tree.zeros(own), own)
        return Returns(agent.total, agent.count, *own, copies), {**told, **metrics}

    return Algorithm(init, step, Returns(None, None, 0, 0, 0, 0))


def act_by(policy: Array) -> Callable[[Key, Array], tuple[Array, tuple]]:
    """Actions of a policy `[S, A]` of probabilities, as `rollout.collect` wants them."""
    policy = jnp.asarray(policy)

    def act(key, obs):
        return jax.random.categorical(key, jnp.log(policy[obs])).astype(jnp.int32), ()

    return act
