"""Twin delayed policy gradient: a policy without chance that climbs a critic, kept from what the critic imagines.

    y      = r + g min_i Q'_i(s', clip(mu'(s') + clip(e, -c, c), -1, 1)),   e ~ N(0, sigma'^2)
    policy = argmax E Q_1(s, mu(s))

Of two critics the lower is believed; the policy moves less often than they do; and targets are averages over actions
nearby, so that no narrow peak is believed. Without the three it is DDPG (Lillicrap et al. 2016, arXiv:1509.02971).
Source: Fujimoto et al. 2018, arXiv:1802.09477, algorithm 1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, buffer, descend, forward, repeated
from adl.core.buffer import Buffer
from adl.core.teacher import Teacher, follow, follower
from adl.core.types import Array, Key
from adl.rl.environment.world import Environment, bounds_of
from adl.rl.off_policy import ActorAndCritics, first_moves, replaying, target_value, teaching
from adl.rl.policy import in_unit_box
from adl.rl.rollout import Copies


class DelayedAgent(NamedTuple):
    """An actor, its critics, and all that they remember; `axes` is `AXES`."""

    learner: Learner  # of the actor
    critics: Learner
    target: Teacher  # of {"actor": ..., "critics": ...}
    copies: Copies  # [E, ...]
    replay: Buffer  # of E rows


AXES = DelayedAgent(None, None, None, 0, buffer.AXES)


def td3(
    model: ActorAndCritics,
    tx: optax.GradientTransformation,
    *,
    env: Environment,
    num_envs: int,
    capacity: int,
    batch_size: int,
    horizon: int = 1,
    num_updates: int = 1,
    delay: int = 2,
    warmup: int = 100,
    discount: float = 0.99,
    decay: float = 0.995,
    noise: float = 0.1,
    target_noise: float = 0.2,
    target_clip: float = 0.5,
    axis: str | None = None,
) -> Algorithm:
    """TD3; state is a `DelayedAgent`, the batch is `()`.

    A step reports "loss" of the critics, "actor_loss", "value", "explained_variance" of the targets by the critics, and
    "return" and "length" of the episodes that ended in it.

    Args:
      model: an actor that puts out numbers `[B, D]`, whose hyperbolic tangents are its action, and twin critics.
      tx: optax transformation, of the actor and of the critics alike.
      env: the environment, of vectors; actions are in [-1, 1], which stand for its bounds.
      num_envs: E >= 1, copies over all devices.
      capacity: moves that the replay holds, over all devices; a multiple of E.
      batch_size: moves of an update of the critics, over all devices.
      horizon: T >= 1, moves of each copy a step.
      num_updates: >= 1, of the actor in a step.
      delay: >= 1, updates of the critics for each of the actor.
      warmup: >= 1, uniform moves of each copy before the first step.
      discount: g in [0, 1].
      decay: in [0, 1], of the networks that targets are made by: averages that move by 1 - decay an actor's update.
      noise: >= 0, standard deviation of what is added to the actor's actions as it plays.
      target_noise: sigma' >= 0.
      target_clip: c >= 0.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: if actions are choices; as `buffer.create` and `buffer.sample`.
    """
    shape = num_envs, *bounds_of(env, "td3").low.shape
    env = in_unit_box(env)
    teach = teaching(model.critics, tx, axis)

    def actor_loss(key, params, extras, obs, critics):
        numbers, extras = forward(model.actor, None, params, extras, obs)
        return {"loss": Mean.of(-model.critics.apply(critics, obs, only(numbers))[0])}, extras

    climb = descend(actor_loss, tx, axis)

    def update(key, agent, draw):
        critics_key, draw_key, actor_key = jax.random.split(key, 3)

        def judge(key, critics, batch):
            draw_key, noise_key, teach_key = jax.random.split(key, 3)
            seen, behind = draw(draw_key), agent.target.variables
            action = smoothed(
                noise_key, only(model.actor.apply(behind["actor"], seen.next_obs)), target_noise, target_clip
            )
            later = model.critics.apply(behind["critics"], seen.next_obs, action).min(0)
            y = target_value(seen.reward, seen.terminated, later, discount)
            return teach(teach_key, critics, seen.obs, seen.action, y)

        critics, metrics = repeated(Algorithm(None, judge), delay).step(critics_key, agent.critics, ())
        learner, climbed = climb(actor_key, agent.learner, draw(draw_key).obs, critics.variables)
        target = follow(agent.target, {"actor": learner.variables, "critics": critics.variables}, decay)
        return agent._replace(learner=learner, critics=critics, target=target), {
            **metrics,
            "actor_loss": climbed["loss"],
        }

    def act(agent):
        def noisy(key, obs):
            action = only(model.actor.apply(agent.learner.variables, obs))
            return jnp.clip(action + noise * jax.random.normal(key, action.shape), -1, 1), ()

        return noisy

    def init(key, batch=()):
        play_key, actor_key, critic_key = jax.random.split(key, 3)
        copies, replay = first_moves(play_key, env, num_envs=num_envs, warmup=warmup, capacity=capacity)
        learner = Learner.create(model.actor.init(actor_key, copies.obs), tx)
        critics = Learner.create(model.critics.init(critic_key, copies.obs, jnp.zeros(shape)), tx)
        target = follower({"actor": learner.variables, "critics": critics.variables})
        return DelayedAgent(learner, critics, target, copies, replay)

    often = {"batch_size": batch_size, "horizon": horizon, "num_updates": num_updates}
    return Algorithm(init, replaying(env, act, update, **often, axis=axis), AXES)


def only(numbers: Array) -> Array:
    """The action `[..., D]` in [-1, 1] of a policy without chance, of its network's numbers."""
    return jnp.tanh(numbers.astype(jnp.float32))


def smoothed(key: Key, action: Array, noise: float, clip: float) -> Array:
    """Actions nearby, in [-1, 1]: each entry moved by Gaussian noise, of which no more than `clip` either way.

    Args:
      key: consumed.
      action: `[..., D]` in [-1, 1].
      noise: standard deviation >= 0.
      clip: >= 0.
    """
    moved = jnp.clip(noise * jax.random.normal(key, action.shape), -clip, clip)
    return jnp.clip(action + moved, -1, 1)
