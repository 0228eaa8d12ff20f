"""Proximal policy optimisation: several epochs on the same moves, with nothing to gain from leaving the old policy.

    L_clip = E min(r A, clip(r, 1 - c, 1 + c) A),   r = pi(a|s) / pi_old(a|s)                                  (eq. 7)
    loss   = -L_clip + c_1 (V(s) - V_target)^2 / 2 - c_2 H[pi(.|s)]                                            (eq. 9)

A step plays T moves of each of E copies of the environment, estimates advantages, and descends on shuffled
minibatches of the T E moves. Source: Schulman et al. 2017, arXiv:1707.06347. Details are numbered as in Huang et al.
2022, "The 37 implementation details of proximal policy optimization" (ICLR blog track); of those that apply to vector
observations, value clipping (9) is left out: the paper has none.
"""

from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, descend, forward, standardise
from adl.core.epochs import epochs
from adl.core.types import Array, PyTree
from adl.rl.advantage import gae
from adl.rl.environment.world import Environment
from adl.rl.policy import Actions, categorical
from adl.rl.rollout import Act, Copies, Transition, collect, start


class Agent(NamedTuple):
    """A learner among its copies of the world; `axes` is `Agent(None, 0)`."""

    learner: Learner
    copies: Copies  # [E, ...]


class Moves(NamedTuple):
    """What the loss wants to know of B moves."""

    obs: Array  # [B, ...]
    action: Array  # [B, ...]
    log_prob: Array  # [B] of the action, when it was drawn
    advantage: Array  # [B]
    target: Array  # [B] of the value


def ppo(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    env: Environment,
    num_envs: int,
    horizon: int,
    num_epochs: int = 4,
    num_minibatches: int = 4,
    discount: float = 0.99,
    lam: float = 0.95,
    clip: float = 0.2,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
    actions: Actions = categorical,
    axis: str | None = None,
) -> Algorithm:
    """PPO with clipping; state is an `Agent`, the batch is `()`.

    A step is `num_envs * horizon` moves and `num_epochs * num_minibatches` updates of the learner. It reports the
    parts of the loss, means over all of these, and "return" and "length" of the episodes that ended in it.

    Args:
      model: `model.apply(variables, obs) -> (numbers [B, P] of the actions' distribution, value [B])`.
      tx: optax transformation; its schedules count updates.
      env: the environment.
      num_envs: E >= 1, copies over all devices.
      horizon: T >= 1, moves of each copy a step.
      num_epochs: >= 1, passes over the moves.
      num_minibatches: >= 1, of each pass; on several devices every device contributes its share to each.
      discount: in [0, 1], of rewards one move later.
      lam: in [0, 1], as in `gae`.
      clip: c > 0, change of an action's probability from which on there is nothing to gain.
      value_weight: c_1 >= 0.
      entropy_weight: c_2 >= 0.
      actions: the distributions that the model's numbers stand for.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: at trace time, as `core.epochs`: if the moves on a device do not divide into minibatches.
    """

    def loss(key, params, extras, moves):
        (numbers, value), extras = forward(model, key, params, extras, moves.obs)
        parts = ppo_loss(
            moves._replace(advantage=standardise(moves.advantage, axis)),  # detail 7: of each minibatch
            actions.log_prob(moves.action, numbers),
            value,
            actions.entropy(numbers),
            clip=clip,
            value_weight=value_weight,
            entropy_weight=entropy_weight,
        )
        return {name: Mean.of(values) for name, values in parts.items()}, extras

    update = epochs(descend(loss, tx, axis), num_epochs, num_minibatches)

    def init(key, batch=()):
        env_key, model_key = jax.random.split(key)
        copies = start(env_key, env, num_envs)
        return Agent(Learner.create(model.init(model_key, copies.obs), tx), copies)

    def step(key, agent, batch=()):
        play_key, update_key = jax.random.split(key)
        act = actor(model, agent.learner.variables, actions)
        copies, seen, metrics = collect(play_key, env, act, agent.copies, horizon)
        moves = judged(model, agent.learner.variables, seen, discount=discount, lam=lam)
        learner, losses = update(update_key, agent.learner, moves)
        return Agent(learner, copies), {**losses, **metrics}

    return Algorithm(init, step, Agent(None, 0))


def actor(model: nn.Module, variables: PyTree, actions: Actions = categorical) -> Act:
    """Draws actions from the policy; says (log-probability, value) `[E]` of each."""

    def act(key, obs):
        numbers, value = model.apply(variables, obs)
        action = actions.sample(key, numbers)
        return action, (actions.log_prob(action, numbers), value)

    return act


def judged(model: nn.Module, variables: PyTree, seen: Transition, *, discount: float, lam: float) -> Moves:
    """Moves `[T E]` with advantages and value targets, from transitions `[T, E]` of `actor`.

    Args:
      model: as in `ppo`.
      variables: those that the moves were played with.
      seen: T moves of each of E copies.
      discount: in [0, 1].
      lam: in [0, 1].
    """
    log_prob, value = seen.said
    # The episode's own next observation, not the next one acted on: a truncated episode is worth what it left behind.
    _, next_value = model.apply(variables, seen.next_obs)
    advantage = gae(seen.reward, discount * ~seen.terminated, value, next_value, lam=lam * ~seen.truncated)
    moves = Moves(seen.obs, seen.action, log_prob, advantage, advantage + value)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), moves)


def ppo_loss(
    moves: Moves,
    log_prob: Array,
    value: Array,
    entropy: Array,
    *,
    clip: float,
    value_weight: float,
    entropy_weight: float,
) -> Mapping[str, Array]:
    """The module's loss, move by move, in its parts.

    Args:
      moves: B moves; their advantages usually standardised.
      log_prob: `[B]` of the actions under the policy that is trained.
      value: `[B]` of the observations.
      entropy: `[B]` of the policy, in nats.
      clip: c > 0.
      value_weight: c_1 >= 0.
      entropy_weight: c_2 >= 0.

    Returns:
      "loss", "policy_loss" (eq. 7, negative), "value_loss", "entropy", and of the change of policy: "kl", an
      unbiased estimate of KL(old || new) that is never negative, and "clipped", 1 where the ratio is out of bounds.
      `[B]` each.
    """
    log_ratio = log_prob - moves.log_prob
    ratio = jnp.exp(log_ratio)
    policy_loss = -jnp.minimum(ratio * moves.advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * moves.advantage)
    value_loss = jnp.square(value - moves.target) / 2
    return {
        "loss": policy_loss + value_weight * value_loss - entropy_weight * entropy,
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "entropy": entropy,
        "kl": ratio - 1 - log_ratio,
        "clipped": (jnp.abs(ratio - 1) > clip).astype(ratio.dtype),
    }
