"""Worlds of a move or a few, of which everything is known."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.rl.environment.world import Bounds, Choices, Environment, Step

NEVER = np.zeros((), bool)


def aim(high: float = 1.0) -> Environment:
    """One move an episode: a target is shown, and the reward is less the squared distance to it."""

    def reset(key):
        target = jax.random.uniform(key, (), minval=-0.8, maxval=0.8)
        return target, target[None]

    def step(key, state, action):
        reward = -jnp.square(action[0] / high - state)
        return Step(state, state[None], reward, jnp.ones((), bool), jnp.asarray(NEVER))

    bounds = Bounds(np.full(1, -high, np.float32), np.full(1, high, np.float32))
    return Environment(reset, step, bounds)


# A Markov decision process of S states and A actions, that ends after T moves; a state's time is seen.
S, A, T = 3, 2, 4
RNG = np.random.default_rng(0)
NEXT = RNG.dirichlet(np.ones(S), (S, A)).astype("f")  # [S, A, S]
REWARD = RNG.normal(size=(S, A)).astype("f")
NUM_SEEN = S * T


def small() -> Environment:
    """That process, from any state."""

    def seen(state, time):
        return jax.nn.one_hot(state + S * time, NUM_SEEN)

    def reset(key):
        state = jax.random.randint(key, (), 0, S)
        time = jnp.zeros((), jnp.int32)
        return (state, time), seen(state, time)

    def step(key, at, action):
        state, time = at
        after, time = jax.random.categorical(key, jnp.log(jnp.asarray(NEXT)[state, action])), time + 1
        return Step((after, time), seen(after, time), jnp.asarray(REWARD)[state, action], time >= T, jnp.asarray(NEVER))

    return Environment(reset, step, Choices(A))


def values(logits: jax.Array, discount: float) -> jax.Array:
    """`[T, S]` exact values of the policy with logits `[T S, A]` in that process, by backward induction."""
    policy = jax.nn.softmax(logits.reshape(T, S, A))
    after, found = jnp.zeros(S), []
    for time in reversed(range(T)):
        after = (policy[time] * (REWARD + discount * NEXT @ after)).sum(-1)
        found.append(after)
    return jnp.stack(found[::-1])
