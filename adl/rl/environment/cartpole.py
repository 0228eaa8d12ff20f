"""A pole on a cart that is pushed left or right: Gymnasium's CartPole-v1, number for number, in the graph.

    temp = (F + m_p l w^2 sin a) / (m_c + m_p)
    w'   = (g sin a - cos a temp) / (l (4/3 - m_p cos^2 a / (m_c + m_p)))
    v'   = temp - m_p l w' cos a / (m_c + m_p)

with the cart's position x (m) and velocity v (m/s), the pole's angle a from upright (rad) and angular velocity w
(rad/s), and an Euler step of 0.02 s. Reward 1 a step; the episode terminates where the pole leans by more than 12
degrees or the cart is more than 2.4 m from the middle, and is truncated after 500 steps.

Source: Barto, Sutton & Anderson 1983, IEEE Trans. SMC 13(5); without friction and with the corrected signs of Florian
2007, as in Gymnasium's `cartpole.py`.
"""

import math

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key
from adl.rl.environment.world import Choices, Environment, Step
from adl.rl.environment.wrappers import time_limit

NUM_ACTIONS = 2  # 0 pushes left, 1 pushes right
LIMIT = 500  # steps
X_THRESHOLD = 2.4  # m
ANGLE_THRESHOLD = math.radians(12)

GRAVITY = 9.8  # m/s^2
POLE_MASS = 0.1  # kg
TOTAL_MASS = 1.0 + POLE_MASS  # kg, with the cart
HALF_LENGTH = 0.5  # m, from the hinge to the pole's centre of mass
FORCE = 10.0  # N
TIME_STEP = 0.02  # s


def cartpole(limit: int = LIMIT) -> Environment:
    """CartPole; observations and state are `[4]`: position, velocity, angle, angular velocity.

    Args:
      limit: steps until truncation, >= 1; v1 has 500, v0 has 200.
    """
    return time_limit(Environment(reset, step, Choices(NUM_ACTIONS)), limit)


def reset(key: Key) -> tuple[Array, Array]:
    """State and observation `[4]`, each number uniform in [-0.05, 0.05]."""
    state = jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)
    return state, state


def step(key: Key, state: Array, action: Array) -> Step:
    """One push of 0.02 s.

    Args:
      key: unused, the dynamics are deterministic.
      state: `[4]`.
      action: `[]` integer, 0 or 1.
    """
    _, velocity, angle, spin = state
    force = jnp.where(action == 1, FORCE, -FORCE)
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    moment = POLE_MASS * HALF_LENGTH
    temp = (force + moment * jnp.square(spin) * sin) / TOTAL_MASS
    spin_rate = (GRAVITY * sin - cos * temp) / (HALF_LENGTH * (4 / 3 - POLE_MASS * jnp.square(cos) / TOTAL_MASS))
    acceleration = temp - moment * spin_rate * cos / TOTAL_MASS
    state = state + TIME_STEP * jnp.stack([velocity, acceleration, spin, spin_rate])
    terminated = (jnp.abs(state[0]) > X_THRESHOLD) | (jnp.abs(state[2]) > ANGLE_THRESHOLD)
    return Step(state, state, jnp.ones((), state.dtype), terminated, jnp.zeros((), bool))
