"""Environments as pairs of pure functions, so that a step of learning holds thousands of steps of the world.

An environment is written for one copy of itself and batched by `vmap`. An episode ends in one of two ways, which
bootstrapping must tell apart: it is terminated, and nothing is worth anything afterwards, or it is truncated by a
limit, and its last observation is worth what it would have been.

It says which actions it takes: one of a number of choices, or a vector within bounds. Where not every choice is legal
in every state, `legal` tells which are.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from adl.core import BadInput, fold_in, tree
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


class Choices(NamedTuple):
    """Actions that are one of a number of choices."""

    count: int  # A >= 1: actions are integers 0 ... A - 1


class Bounds(NamedTuple):
    """Actions that are vectors within bounds."""

    low: np.ndarray  # [D]
    high: np.ndarray  # [D], above low


class Environment(NamedTuple):
    """A Markov decision process; keys are consumed."""

    reset: Callable[[Key], tuple[PyTree, Array]]  # key -> (state, obs)
    step: Callable[[Key, PyTree, Array], Step]  # (key, state, action) -> Step
    actions: Choices | Bounds
    legal: Callable[[PyTree], Array] | None = None  # state -> [A] boolean, one true at least; None: all are, always


def num_choices(env: Environment, who: str) -> int:
    """A, for an algorithm that chooses among actions.

    Args:
      env: any environment.
      who: the algorithm, for the message.
    Raises:
      BadInput: if actions are vectors.
    """
    if not isinstance(env.actions, Choices):
        raise BadInput(
            f"{who} chooses one of several actions, and here they are vectors; ppo, sac and td3 move by such"
        )
    return env.actions.count


def bounds_of(env: Environment, who: str) -> Bounds:
    """The bounds, for an algorithm whose actions are vectors.

    Args:
      env: any environment.
      who: the algorithm, for the message.
    Raises:
      BadInput: if actions are choices.
    """
    if not isinstance(env.actions, Bounds):
        raise BadInput(
            f"{who} moves by vectors, and here an action is one of {env.actions.count}; dqn, a2c and ppo choose"
        )
    return env.actions


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
