"""What may be laid around an environment: each maps one to another, so that they compose from the inside out.

time_limit(scaled_reward(env, 0.1), 500)
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import tree
from adl.core.types import Array, PyTree
from adl.rl.environment.world import Bounds, Environment, bounds_of


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


def scaled_reward(env: Environment, factor: float) -> Environment:
    """The environment with each reward times `factor`.

    Args:
      env: any environment.
      factor: any number.
    """

    def step(key, state, action):
        after = env.step(key, state, action)
        return after._replace(reward=factor * after.reward)

    return inside(env, env.reset, step, lambda state: state)


def action_repeat(env: Environment, n: int) -> Environment:
    """The environment in which each action is taken n times, or until the episode ends; the rewards are summed.

    Args:
      env: any environment.
      n: >= 1.
    """

    def step(key, state, action):
        first_key, *keys = jax.random.split(key, n)

        def again(sofar, key):
            after = env.step(key, sofar.state, action)
            after = after._replace(reward=sofar.reward + after.reward)
            return tree.where(sofar.ended, sofar, after), None

        first = env.step(first_key, state, action)
        return lax.scan(again, first, jnp.stack(keys))[0] if keys else first

    return inside(env, env.reset, step, lambda state: state)


class WithLegal(NamedTuple):
    """Observation of `with_legal`."""

    obs: Array  # [...]
    legal: Array  # [A] boolean: which choices there are


def with_legal(env: Environment) -> Environment:
    """The environment in which one also sees which choices are legal, as a network wants that leaves out the others.

    Args:
      env: whose `legal` says so.
    """

    def reset(key):
        state, obs = env.reset(key)
        return state, WithLegal(obs, env.legal(state))

    def step(key, state, action):
        after = env.step(key, state, action)
        return after._replace(obs=WithLegal(after.obs, env.legal(after.state)))

    return inside(env, reset, step, lambda state: state)


class Framed(NamedTuple):
    """State of `frame_stack`."""

    frames: Array  # [n, ...] the last observations, the latest last
    state: PyTree


def frame_stack(env: Environment, n: int) -> Environment:
    """The environment in which the last n observations are seen: of `[..., C]` one `[..., n C]`, the latest last.

    After a reset the first stands for those that were not.

    Args:
      env: any environment with observations of one axis at least.
      n: >= 1.
    """

    def seen(frames):
        return jnp.concatenate([*frames], -1)

    def reset(key):
        state, obs = env.reset(key)
        frames = jnp.stack([obs] * n)
        return Framed(frames, state), seen(frames)

    def step(key, framed, action):
        after = env.step(key, framed.state, action)
        frames = jnp.concatenate([framed.frames[1:], after.obs[None]])
        return after._replace(state=Framed(frames, after.state), obs=seen(frames))

    return inside(env, reset, step, lambda framed: framed.state)


def clipped_action(env: Environment) -> Environment:
    """The environment in which vectors beyond its bounds stand for the nearest within.

    Args:
      env: an environment of vectors.

    Raises:
      BadInput: if its actions are choices.
    """
    low, high = bounds_of(env, "clipped_action")

    def step(key, state, action):
        return env.step(key, state, jnp.clip(action, low, high))

    return inside(env, env.reset, step, lambda state: state)


def rescaled_action(env: Environment) -> Environment:
    """The environment with vectors in [-1, 1]: -1 is the lower bound, 1 the upper.

    Args:
      env: an environment of vectors within finite bounds.

    Raises:
      BadInput: if its actions are choices.
    """
    low, high = bounds_of(env, "rescaled_action")

    def step(key, state, action):
        return env.step(key, state, low + (action + 1) / 2 * (high - low))

    outside = inside(env, env.reset, step, lambda state: state)
    return outside._replace(actions=Bounds(0 * low - 1, 0 * high + 1))
