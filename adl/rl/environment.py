"""Environments as pairs of pure functions, so that a step of learning holds thousands of steps of the world.

An environment is written for one copy of itself and batched by `vmap`. An episode ends in one of two ways, which
bootstrapping must tell apart: it is terminated, and nothing is worth anything afterwards, or it is truncated by a
limit, and its last observation is worth what it would have been.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from adl.core import fold_in, tree
from adl.core.types import Array, Key, PyTree


class Step(NamedTuple):
    """What an action leads to, also where it ends the episode."""

    state: PyTree
    obs: Array  # [...]
    reward: Array  # []
    terminated: Array  # [] boolean: the task ended here
    truncated: Array  # [] boolean: a limit cut the episode here

    @property
    def ended(self) -> Array:
        """`[]` whether the episode is over, either way."""
        return self.terminated | self.truncated


class Environment(NamedTuple):
    """A Markov decision process; keys are consumed."""

    reset: Callable[[Key], tuple[PyTree, Array]]  # key -> (state, obs)
    step: Callable[[Key, PyTree, Array], Step]  # (key, state, action) -> Step


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

    return Environment(reset, step)


def auto_reset(env: Environment) -> Callable[[Key, PyTree, Array], tuple[Step, tuple[PyTree, Array]]]:
    """A step that goes on for ever: `step(key, state, action) -> (Step, (state, obs) to act on next)`.

    The `Step` is the episode's own, with its last observation where it ended; what to act on next is then the
    beginning of another episode.
    """

    def step(key, state, action):
        after = env.step(fold_in(key, 0), state, action)
        fresh = env.reset(fold_in(key, 1))
        return after, tree.where(after.ended, fresh, (after.state, after.obs))

    return step
