"""Two links that hang from a nail, swung up by a motor between them: Gymnasium's Acrobot-v1, number for number.

With the angle a of the first link from hanging, b of the second from the first, and the torque u at the joint, for
links of 1 m and 1 kg with their centres of mass in the middle and moments of inertia 1:

    d1 = 3.5 + cos b,   d2 = 1.25 + cos(b) / 2
    p2 = g sin(a + b) / 2,   p1 = -sin(b) b' (b' / 2 + a') + 1.5 g sin a + p2
    b'' = (u + p1 d2 / d1 - a'^2 sin(b) / 2 - p2) / (1.25 - d2^2 / d1),   a'' = -(d2 b'' + p1) / d1

One step is one of Runge and Kutta, of fourth order, over 0.2 s. The episode terminates where the free end is more than
a link's length above the nail, and is truncated after 500 steps.

Source: Sutton 1996, NeurIPS 8; Sutton & Barto 1998, section 11.3, whose equations hold, as in Gymnasium's `acrobot.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, Key
from adl.rl.environment.world import Choices, Environment, Step
from adl.rl.environment.wrappers import time_limit

NUM_ACTIONS = 3  # torques -1, 0 and 1 N m
LIMIT = 500  # steps
MAX_SPEEDS = 4 * np.pi, 9 * np.pi  # rad/s, of either angle
TIME_STEP = 0.2  # s
GRAVITY = 9.8  # m/s^2


def acrobot(limit: int = LIMIT) -> Environment:
    """Acrobot; the state is `[4]`: both angles (rad) and their velocities (rad/s).

    Observations are `[6]`: cosine and sine of each angle, and the velocities. Reward -1 a step, 0 where it succeeds.

    Args:
      limit: steps until truncation, >= 1; v1 has 500.
    """
    return time_limit(Environment(_reset, _step, Choices(NUM_ACTIONS)), limit)


def _reset(key: Key) -> tuple[Array, Array]:
    """Hanging, nearly at rest."""
    state = jax.random.uniform(key, (4,), minval=-0.1, maxval=0.1)
    return state, _seen(state)


def _step(key: Key, state: Array, action: Array) -> Step:
    torque = (action - 1).astype(state.dtype)
    k1 = _slope(state, torque)
    k2 = _slope(state + TIME_STEP / 2 * k1, torque)
    k3 = _slope(state + TIME_STEP / 2 * k2, torque)
    k4 = _slope(state + TIME_STEP * k3, torque)
    moved = state + TIME_STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    angles = moved[:2] - 2 * jnp.pi * jnp.round(moved[:2] / (2 * jnp.pi))  # within [-pi, pi]
    highest = jnp.asarray(MAX_SPEEDS, state.dtype)
    state = jnp.concatenate([angles, jnp.clip(moved[2:], -highest, highest)])
    terminated = -jnp.cos(state[0]) - jnp.cos(state[1] + state[0]) > 1
    reward = jnp.where(terminated, 0, -1).astype(state.dtype)
    return Step(state, _seen(state), reward, terminated, jnp.zeros((), bool))


def _seen(state: Array) -> Array:
    a, b, *speeds = state
    return jnp.stack([jnp.cos(a), jnp.sin(a), jnp.cos(b), jnp.sin(b), *speeds])


def _slope(state: Array, torque: Array) -> Array:
    """The state's derivative by time, by the module's equations."""
    a, b, a_speed, b_speed = state
    sin, cos = jnp.sin(b), jnp.cos(b)
    d1, d2 = 3.5 + cos, 1.25 + 0.5 * cos
    p2 = 0.5 * GRAVITY * jnp.sin(a + b)
    p1 = -sin * b_speed * (0.5 * b_speed + a_speed) + 1.5 * GRAVITY * jnp.sin(a) + p2
    b_rate = (torque + d2 / d1 * p1 - 0.5 * jnp.square(a_speed) * sin - p2) / (1.25 - jnp.square(d2) / d1)
    return jnp.stack([a_speed, b_speed, -(d2 * b_rate + p1) / d1, b_rate])
