"""What may be laid around an environment: each maps one to another, so that they compose from the inside out.

time_limit(scaled_reward(env, 0.1), 500)
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from adl.core.types import Array, PyTree
from adl.rl.environment.world import Environment


def inside(env: Environment, reset: Callable, step: Callable, state_of: Callable[[PyTree], PyTree]) -> Environment:
    """The environment with another `reset` and `step`, and the same actions.

    Args:
      env: what is inside.
      reset: key -> (state, obs).
      step: (key, state, action) -> `Step`.
      state_of: from the outer state to that of what is inside, whose legal actions are asked for.
    """
    legal = None if env.legal is None else lambda state: env.legal(state_of(state))
    return env._replace(reset=reset, step=step, legal=legal)


class Timed(NamedTuple):
    """State of `time_limit`."""

    time: Array  # [] int32, steps since the reset
    state: PyTree


def time_limit(env: Environment, limit: int) -> Environment:
    """The environment with its episodes truncated after `limit` steps.

    Args:
      env: any environment.
      limit: >= 1, in steps.
    """

    def reset(key):
        state, obs = env.reset(key)
        return Timed(jnp.zeros((), jnp.int32), state), obs

    def step(key, timed, action):
        after = env.step(key, timed.state, action)
        time = timed.time + 1
        return after._replace(state=Timed(time, after.state), truncated=after.truncated | (time >= limit))

    return inside(env, reset, step, lambda timed: timed.state)
