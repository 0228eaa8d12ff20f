"""Soft actor-critic: as much return as there is, by a policy that is as random as that allows.

    J      = E sum_t g^t (r_t + alpha H[pi(.|s_t)])
    y      = r + g (min_i Q'_i(s', a') - alpha log pi(a'|s')),   a' ~ pi(.|s')                              (eqs. 3, 5)
    policy = argmin E [alpha log pi(a|s) - min_i Q_i(s, a)],   a reparametrised                                (eq. 7)
    alpha  = argmin E [-alpha (log pi(a|s) + H_target)]                                                       (eq. 18)

A step plays T moves of each of E copies, and then makes a number of updates by moves that the replay still has,
whichever policy made them. Source: Haarnoja et al. 2018b, arXiv:1812.05905; twin critics of Fujimoto et al. 2018.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, buffer, descend, forward
from adl.core.buffer import Buffer
from adl.core.teacher import Teacher, follow, follower
from adl.core.types import Array
from adl.rl.environment.world import Environment, bounds_of
from adl.rl.off_policy import ActorAndCritics, first_moves, replaying, target_value, teaching
from adl.rl.policy import halves, in_unit_box, squashed
from adl.rl.rollout import Copies


class SoftAgent(NamedTuple):
    """An actor, its critics, and all that they remember; `axes` is `AXES`."""

    learner: Learner  # of the actor
    critics: Learner
    target: Teacher  # of the critics
    temperature: Learner  # of log alpha
    copies: Copies  # [E, ...]
    replay: Buffer  # of E rows


AXES = SoftAgent(None, None, None, None, 0, buffer.AXES)


def sac(
    model: ActorAndCritics,
    tx: optax.GradientTransformation,
    *,
    env: Environment,
    num_envs: int,
    capacity: int,
    batch_size: int,
    horizon: int = 1,
    num_updates: int = 1,
    warmup: int = 100,
    discount: float = 0.99,
    decay: float = 0.995,
    temperature: float = 1.0,
    target_entropy: float | None = None,
    axis: str | None = None,
) -> Algorithm:
    """SAC with a learned temperature; state is a `SoftAgent`, the batch is `()`.

    A step reports "loss" of the critics, "actor_loss", "temperature" alpha, "entropy" of the policy, "value",
    "explained_variance" of the targets by the critics, and "return" and "length" of the episodes that ended in it.

    Args:
      model: an actor that puts out numbers `[B, 2 D]`, as of `policy.squashed`, and twin critics.
      tx: optax transformation, of the actor, of the critics and of the temperature alike.
      env: the environment, of vectors; actions are in [-1, 1], which stand for its bounds.
      num_envs: E >= 1, copies over all devices.
      capacity: moves that the replay holds, over all devices; a multiple of E.
      batch_size: moves of an update, over all devices.
      horizon: T >= 1, moves of each copy a step.
      num_updates: >= 1, of a step.
      warmup: >= 1, uniform moves of each copy before the first step.
      discount: g in [0, 1].
      decay: in [0, 1], of the critics that targets are made by: an average that moves by 1 - decay an update.
      temperature: alpha at the start, > 0, in units of reward a nat.
      target_entropy: in nats, of actions in [-1, 1]; None: -D.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: if actions are choices; as `buffer.create` and `buffer.sample`.
    """
    shape = num_envs, *bounds_of(env, "sac").low.shape
    env = in_unit_box(env)
    wanted = -float(shape[-1]) if target_entropy is None else target_entropy
    teach = teaching(model.critics, tx, axis)

    def actor_loss(key, params, extras, obs, critics, alpha):
        numbers, extras = forward(model.actor, None, params, extras, obs)
        action, log_prob = squashed(key, numbers)
        value = model.critics.apply(critics, obs, action).min(0)
        return {"loss": Mean.of(alpha * log_prob - value), "entropy": Mean.of(-log_prob)}, extras, log_prob

    def temperature_loss(key, params, extras, log_prob):
        return {"loss": Mean.of(-jnp.exp(params["log_alpha"]) * (log_prob + wanted))}, extras

    climb, warm = descend(actor_loss, tx, axis), descend(temperature_loss, tx, axis)

    def update(key, agent, draw):
        draw_key, next_key, teach_key, actor_key, warm_key = jax.random.split(key, 5)
        seen, alpha = draw(draw_key), jnp.exp(agent.temperature.params["log_alpha"])
        action, log_prob = squashed(next_key, model.actor.apply(agent.learner.variables, seen.next_obs))
        later = soft_value(model.critics.apply(agent.target.variables, seen.next_obs, action), log_prob, alpha)
        y = target_value(seen.reward, seen.terminated, later, discount)
        critics, metrics = teach(teach_key, agent.critics, seen.obs, seen.action, y)
        learner, climbed, log_prob = climb(actor_key, agent.learner, seen.obs, critics.variables, alpha)
        temperature, _ = warm(warm_key, agent.temperature, log_prob)
        target = follow(agent.target, critics.variables, decay)
        told = {"actor_loss": climbed["loss"], "entropy": climbed["entropy"], "temperature": Mean.of(alpha)}
        moved = {"learner": learner, "critics": critics, "target": target, "temperature": temperature}
        return agent._replace(**moved), {**metrics, **told}

    def act(agent):
        return lambda key, obs: squashed(key, model.actor.apply(agent.learner.variables, obs))

    def init(key, batch=()):
        play_key, actor_key, critic_key = jax.random.split(key, 3)
        copies, replay = first_moves(play_key, env, num_envs=num_envs, warmup=warmup, capacity=capacity)
        learner = Learner.create(model.actor.init(actor_key, copies.obs), tx)
        critics = Learner.create(model.critics.init(critic_key, copies.obs, jnp.zeros(shape)), tx)
        log_alpha = jnp.log(jnp.asarray(temperature, jnp.float32))
        warmth = Learner.create({"params": {"log_alpha": log_alpha}}, tx)
        return SoftAgent(learner, critics, follower(critics.variables), warmth, copies, replay)

    often = {"batch_size": batch_size, "horizon": horizon, "num_updates": num_updates}
    return Algorithm(init, replaying(env, act, update, **often, axis=axis), AXES)


def soft_value(values: Array, log_prob: Array, alpha: Array | float) -> Array:
    """V = min_i Q_i - alpha log pi, `[B]` of one action drawn in each state; its mean is the soft value.

    Args:
      values: `[2, B]` of both critics.
      log_prob: `[B]` of the action.
      alpha: temperature >= 0.
    Source: Haarnoja et al. 2018b, arXiv:1812.05905, eq. 3.
    """
    return values.min(0) - alpha * log_prob


def middle(numbers: Array) -> Array:
    """The action `[..., D]` in [-1, 1] in the middle of the squashed Gaussian of numbers `[..., 2 D]`."""
    return jnp.tanh(halves(numbers)[0])
