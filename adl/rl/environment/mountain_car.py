"""A car too weak for its hill, which must swing up the other side first: Gymnasium's MountainCar-v0 and its twin
MountainCarContinuous-v0, number for number, in the graph.

    v' = clip(v + f - 0.0025 cos 3x, -0.07, 0.07),   x' = clip(x + v', -1.2, 0.6)

with the position x and velocity v (per step), and a force f; at the left end of the track the car stops. The episode
terminates at the goal on the right, and is truncated after 200 steps (999 of the twin's).

Source: Moore 1990, PhD thesis, Cambridge; with choices as Sutton & Barto 2018, example 10.1, where the start is
uniform in [-0.6, -0.4] and a step costs 1; of vectors as in Gymnasium's `continuous_mountain_car.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, Key
from adl.rl.environment.world import Bounds, Choices, Environment, Step
from adl.rl.environment.wrappers import time_limit

NUM_ACTIONS = 3  # 0 pushes left, 1 does not push, 2 pushes right
LIMIT, CONTINUOUS_LIMIT = 200, 999  # steps
GOAL, CONTINUOUS_GOAL = 0.5, 0.45  # position
LOWEST, HIGHEST = -1.2, 0.6  # position
MAX_SPEED = 0.07  # per step
FORCE, POWER = 0.001, 0.0015  # of a push; of the strongest, where a push is a number
GRAVITY = 0.0025


def mountain_car(limit: int = LIMIT) -> Environment:
    """MountainCar, pushed left, not at all, or right; observations and state are `[2]`: position, velocity.

    Reward -1 a step.

    Args:
      limit: steps until truncation, >= 1.
    """

    def step(key: Key, state: Array, action: Array) -> Step:
        state = _moved(state, (action - 1) * FORCE)
        arrived = (state[0] >= GOAL) & (state[1] >= 0)
        return Step(state, state, -jnp.ones((), state.dtype), arrived, jnp.zeros((), bool))

    return time_limit(Environment(_reset, step, Choices(NUM_ACTIONS)), limit)


def mountain_car_continuous(limit: int = CONTINUOUS_LIMIT) -> Environment:
    """MountainCar with pushes `[1]` in [-1, 1]; observations and state are `[2]`: position, velocity.

    Reward 100 at the goal, less 0.1 times the square of the push, as it was asked for, at each step.

    Args:
      limit: steps until truncation, >= 1.
    """

    def step(key: Key, state: Array, action: Array) -> Step:
        state = _moved(state, jnp.clip(action[0], -1, 1) * POWER)
        arrived = (state[0] >= CONTINUOUS_GOAL) & (state[1] >= 0)
        reward = jnp.where(arrived, 100, 0) - 0.1 * jnp.square(action[0])
        return Step(state, state, reward.astype(state.dtype), arrived, jnp.zeros((), bool))

    bounds = Bounds(-np.ones(1, np.float32), np.ones(1, np.float32))
    return time_limit(Environment(_reset, step, bounds), limit)


def _reset(key: Key) -> tuple[Array, Array]:
    """At rest near the valley's bottom."""
    position = jax.random.uniform(key, (), minval=-0.6, maxval=-0.4)
    state = jnp.stack([position, jnp.zeros_like(position)])
    return state, state


def _moved(state: Array, force: Array) -> Array:
    position, velocity = state
    velocity = jnp.clip(velocity + force - GRAVITY * jnp.cos(3 * position), -MAX_SPEED, MAX_SPEED)
    position = jnp.clip(position + velocity, LOWEST, HIGHEST)
    return jnp.stack([position, jnp.where((position == LOWEST) & (velocity < 0), 0, velocity)])
