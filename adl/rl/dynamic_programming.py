"""The best policy of a process that is known: dynamic programming, step by step.

A step is a sweep over all states; `core.until_still` takes as many as it takes.

Sources: Bellman 1957; Howard 1960, Dynamic Programming and Markov Processes; Sutton & Barto 2018, chapter 4.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Mean
from adl.core.types import Array
from adl.rl.mdp import MDP, action_values, policy_value


class Planned(NamedTuple):
    """What is known of the best policy."""

    value: Array  # [S]
    action: Array  # [S] int32, the best by the value that this one was made of; the first of equals


def value_iteration(mdp: MDP, *, discount: Array | float) -> Algorithm:
    """The best value, by sweeps v <- max_a q(., a); state is a `Planned`, the batch is `()`.

    Reports "change", the largest of any state, which shrinks by the discount at least, and "start", the value where
    episodes begin. Source: Bellman 1957; Sutton & Barto 2018, eq. 4.10.

    Args:
      mdp: the process.
      discount: in [0, 1]; with 1 some policy must end every episode.
    """

    def init(key, batch=()):
        num_states = len(mdp.start)
        return Planned(jnp.zeros(num_states), jnp.zeros(num_states, jnp.int32))

    def step(key, plan, batch=()):
        values = action_values(mdp, plan.value, discount)
        best = Planned(values.max(-1), values.argmax(-1).astype(jnp.int32))
        return best, _told(mdp, plan, best)

    return Algorithm(init, step)


def policy_iteration(mdp: MDP, *, discount: Array | float) -> Algorithm:
    """The best policy, by turns judged exactly and improved; state is a `Planned`, the batch is `()`.

    v <- v_pi,   pi <- argmax_a q(., a),   from the uniform policy. As many steps as there are policies are enough, and
    few are taken. Reports as `value_iteration`. Source: Howard 1960; Sutton & Barto 2018, section 4.3.

    Args:
      mdp: the process.
      discount: in [0, 1); or 1, if every policy ends every episode.
    """

    def improved(value):
        # An action that is better by rounding alone must not be taken for another: it would go on for ever.
        values = action_values(mdp, value, discount)
        near = values >= values.max(-1, keepdims=True) - 1e-5 * jnp.maximum(jnp.abs(values).max(), 1)
        return Planned(value, near.argmax(-1).astype(jnp.int32))

    def init(key, batch=()):
        num_states, num_actions = mdp.reward.shape
        return improved(policy_value(mdp, jnp.full((num_states, num_actions), 1 / num_actions), discount))

    def step(key, plan, batch=()):
        policy = jax.nn.one_hot(plan.action, mdp.reward.shape[1])
        best = improved(policy_value(mdp, policy, discount))
        return best, _told(mdp, plan, best)

    return Algorithm(init, step)


def _told(mdp: MDP, before: Planned, after: Planned) -> dict[str, Mean]:
    change = jnp.abs(after.value - before.value).max()
    return {"change": Mean.of(change), "start": Mean.of(after.value, jnp.asarray(mdp.start))}
