"""A pendulum to be swung up, and held there, by a motor that is too weak: Gymnasium's Pendulum-v1, number for number.

    w' = clip(w + 0.05 (15 sin a + 3 u), -8, 8),   a' = a + 0.05 w',   reward = -(a^2 + 0.1 w^2 + 0.001 u^2)

with the angle a from upright (rad; in the reward within [-pi, pi]), the angular velocity w (rad/s), and the torque u
(N m), which is kept within [-2, 2]; the reward is of the state before the step. The task never ends; the episode is
truncated after 200 steps.

Source: Gymnasium's `pendulum.py`, with g = 10 m/s^2; Doya 2000, Neural Computation 12(1), has the task.
"""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, Key
from adl.rl.environment.world import Bounds, Environment, Step
from adl.rl.environment.wrappers import time_limit

LIMIT = 200  # steps
MAX_SPEED = 8.0  # rad/s
MAX_TORQUE = 2.0  # N m
TIME_STEP = 0.05  # s


def pendulum(limit: int = LIMIT) -> Environment:
    """Pendulum with torques `[1]`; the state is `[2]`, angle and angular velocity.

    Observations are `[3]`: cosine and sine of the angle, and the angular velocity.

    Args:
      limit: steps until truncation, >= 1.
    """
    bounds = Bounds(np.full(1, -MAX_TORQUE, np.float32), np.full(1, MAX_TORQUE, np.float32))
    return time_limit(Environment(_reset, _step, bounds), limit)


def _reset(key: Key) -> tuple[Array, Array]:
    """Anywhere, at no more than 1 rad/s."""
    highest = jnp.array([jnp.pi, 1.0])
    state = jax.random.uniform(key, (2,), minval=-highest, maxval=highest)
    return state, _seen(state)


def _step(key: Key, state: Array, action: Array) -> Step:
    angle, speed = state
    torque = jnp.clip(action[0], -MAX_TORQUE, MAX_TORQUE)
    within = jnp.mod(angle + jnp.pi, 2 * jnp.pi) - jnp.pi
    cost = jnp.square(within) + 0.1 * jnp.square(speed) + 0.001 * jnp.square(torque)
    speed = jnp.clip(speed + TIME_STEP * (15 * jnp.sin(angle) + 3 * torque), -MAX_SPEED, MAX_SPEED)
    state = jnp.stack([angle + TIME_STEP * speed, speed]).astype(state.dtype)
    never = jnp.zeros((), bool)
    return Step(state, _seen(state), -cost.astype(state.dtype), never, never)


def _seen(state: Array) -> Array:
    angle, speed = state
    return jnp.stack([jnp.cos(angle), jnp.sin(angle), speed])
