"""Worlds that are tables: what may come of every action in every state, and what each state is worth.

`Outcomes` has each of what may follow, by name, so that a world can be played; `MDP` its expectations, which are all
that planning wants to know. Episodes end on the way, so that an `MDP` needs no states in which nothing happens: of a
row of transitions what is missing to 1 is the chance that the episode is over, and nothing follows.

    v_pi = r_pi + discount P_pi v_pi,   q(s, a) = r(s, a) + discount sum_s' P(s' | s, a) v(s')

Sources: Bellman 1957, Dynamic Programming; Sutton & Barto 2018, Reinforcement Learning, chapters 3 and 4.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core.types import Array, Key
from adl.prob.product import matmul
from adl.rl.environment.world import Choices, Environment, Step


class Outcomes(NamedTuple):
    """What may follow: K outcomes of each of A actions in each of S states; of NumPy's arrays."""

    prob: np.ndarray  # [S, A, K] >= 0, of each pair they sum to 1
    following: np.ndarray  # [S, A, K] int, the next state
    reward: np.ndarray  # [S, A, K]
    terminal: np.ndarray  # [S, A, K] boolean: it ends the episode
    start: np.ndarray  # [S] probability that an episode begins there


class MDP(NamedTuple):
    """A Markov decision process in expectation."""

    transition: Array  # [S, A, S] probability of going on in s'; a row sums to 1 less the chance that the episode ends
    reward: Array  # [S, A] expected
    start: Array  # [S] probability that an episode begins there


def mdp_of(outcomes: Outcomes) -> MDP:
    """The process that these outcomes make, in NumPy's arrays of float32."""
    num_states, num_actions, _ = outcomes.prob.shape
    transition = np.zeros((num_states, num_actions, num_states))
    s, a, _ = np.indices(outcomes.prob.shape)
    np.add.at(transition, (s, a, outcomes.following), outcomes.prob * ~outcomes.terminal)
    reward = (outcomes.prob * outcomes.reward).sum(-1)
    return MDP(*(np.asarray(x, np.float32) for x in (transition, reward, outcomes.start)))


def tabled(outcomes: Outcomes) -> Environment:
    """The world that these outcomes are; observations and states are `[]` int32, the number of the state.

    Args:
      outcomes: of each action in each state.
    """
    # Bounds of the outcomes on the way from 0 to 1; the last may miss 1 by rounding, and takes what is beyond.
    bounds = np.cumsum(outcomes.prob, -1)[..., :-1].astype(np.float32)
    starts = np.cumsum(outcomes.start)[:-1].astype(np.float32)

    def reset(key: Key) -> tuple[Array, Array]:
        state = (jax.random.uniform(key) >= starts).sum(dtype=jnp.int32)
        return state, state

    def step(key: Key, state: Array, action: Array) -> Step:
        k = (jax.random.uniform(key) >= jnp.asarray(bounds)[state, action]).sum()

        def at(x: np.ndarray) -> Array:
            return jnp.asarray(x)[state, action, k]

        following = at(outcomes.following.astype(np.int32))
        return Step(
            following, following, at(outcomes.reward.astype(np.float32)), at(outcomes.terminal), jnp.zeros((), bool)
        )

    return Environment(reset, step, Choices(outcomes.prob.shape[1]))


def action_values(mdp: MDP, value: Array, discount: Array | float) -> Array:
    """`[S, A]` what each action is worth if what follows is worth `value` `[S]`.

    Args:
      mdp: the process.
      value: `[S]` of each state.
      discount: in [0, 1].
    """
    return jnp.asarray(mdp.reward) + discount * matmul(jnp.asarray(mdp.transition), value)


def policy_value(mdp: MDP, policy: Array, discount: Array | float) -> Array:
    """`[S]` the value of a policy: the solution of (I - discount P_pi) v = r_pi.

    Args:
      mdp: the process; with a discount of 1 every episode must end under the policy.
      policy: `[S, A]` probability of each action.
      discount: in [0, 1].
    """
    transition, reward = _under(mdp, policy)
    return jnp.linalg.solve(jnp.eye(len(reward)) - discount * transition, reward)


def policy_return(mdp: MDP, policy: Array, *, limit: int) -> Array:
    """`[]` expected undiscounted return of an episode that is cut after `limit` steps, exactly.

    Args:
      mdp: the process.
      policy: `[S, A]` probability of each action.
      limit: >= 1, in steps.
    """
    transition, reward = _under(mdp, policy)
    value = lax.fori_loop(0, limit, lambda _, value: reward + matmul(transition, value), jnp.zeros_like(reward))
    return matmul(jnp.asarray(mdp.start), value)


def _under(mdp: MDP, policy: Array) -> tuple[Array, Array]:
    """Transitions `[S, S]` and rewards `[S]` under a policy."""
    transition = (policy[..., None] * jnp.asarray(mdp.transition)).sum(1)
    return transition, (policy * jnp.asarray(mdp.reward)).sum(-1)


def garnet(seed: int, num_states: int, num_actions: int, num_outcomes: int, end: float = 0.05) -> Outcomes:
    """A process drawn at random: each action leads to a few states, with rewards of a standard normal.

    Args:
      seed: >= 0.
      num_states: S >= 1.
      num_actions: A >= 1.
      num_outcomes: K >= 1 of each action, which may coincide.
      end: in [0, 1], probability of each outcome to end the episode.

    Source: Archibald, McKinnon & Thomas 1995, J. Operational Research Society 46(3).
    """
    rng = np.random.default_rng(seed)
    shape = num_states, num_actions, num_outcomes
    prob = rng.dirichlet(np.ones(num_outcomes), shape[:2])
    following, reward = rng.integers(num_states, size=shape), rng.normal(size=shape)
    return Outcomes(prob, following, reward, rng.random(shape) < end, np.full(num_states, 1 / num_states))
