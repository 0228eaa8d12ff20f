"""Proximal policy optimisation: several epochs on the same moves, with nothing to gain from leaving the old policy.

    L_clip = E min(r A, clip(r, 1 - c, 1 + c) A),   r = pi(a|s) / pi_old(a|s)                                  (eq. 7)
    loss   = -L_clip + c_1 (V(s) - V_target)^2 / 2 - c_2 H[pi(.|s)]                                            (eq. 9)

A step plays T moves of each of E copies of the environment, estimates advantages, and descends on shuffled
minibatches of the T E moves. Source: Schulman et al. 2017, arXiv:1707.06347. Details are numbered as in Huang et al.
2022, "The 37 implementation details of proximal policy optimization" (ICLR blog track); of those that apply to vector
observations, value clipping (9) is left out: the paper has none.
"""

from collections.abc import Callable, Mapping

import flax.linen as nn
import jax.numpy as jnp
import optax
from jax import lax

from adl.core import Algorithm, BadInput, Key, Learner, Mean, Metrics, descend, forward, standardise
from adl.core.epochs import epochs
from adl.core.types import Array
from adl.prob.surrogate import clipped_surrogate
from adl.rl.environment.world import Environment
from adl.rl.on_policy import Agent, Moves, playing, watching
from adl.rl.policy import Actions, categorical


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
    parts of the loss, means over all of these, how well the values told the returns ("explained_variance"), and
    "return" and "length" of the episodes that ended in it.

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
      BadInput: at trace time, as `core.epochs`: if the moves on a device do not divide into minibatches, or if one of
        these were a single move, whose advantage, standardised, is 0.
    """
    update = clipping(
        model,
        tx,
        num_epochs=num_epochs,
        num_minibatches=num_minibatches,
        clip=clip,
        value_weight=value_weight,
        entropy_weight=entropy_weight,
        actions=actions,
        axis=axis,
    )

    played = {"env": env, "num_envs": num_envs, "horizon": horizon, "discount": discount, "lam": lam}
    return Algorithm(*playing(model, tx, update, actions=actions, axis=axis, **played), Agent(None, 0))


def ppo_outside(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
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
    """PPO in a world outside the program: state is a `Learner`, the batch what `Happened` to an actor that has it.

    Args:
      model: as of `ppo`.
      tx: optax transformation; its schedules count updates.
      num_epochs: >= 1, passes over the moves.
      num_minibatches: >= 1, of each pass.
      discount: in [0, 1], of rewards one move later.
      lam: in [0, 1], as in `gae`.
      clip: c > 0.
      value_weight: c_1 >= 0.
      entropy_weight: c_2 >= 0.
      actions: the distributions that the model's numbers stand for.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: at trace time, as `ppo`.
    Source: Schulman et al. 2017, arXiv:1707.06347, algorithm 1.
    """
    update = clipping(
        model,
        tx,
        num_epochs=num_epochs,
        num_minibatches=num_minibatches,
        clip=clip,
        value_weight=value_weight,
        entropy_weight=entropy_weight,
        actions=actions,
        axis=axis,
    )
    return Algorithm(*watching(model, tx, update, discount=discount, lam=lam, actions=actions, axis=axis))


def clipping(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    num_epochs: int,
    num_minibatches: int,
    clip: float,
    value_weight: float,
    entropy_weight: float,
    actions: Actions,
    axis: str | None,
) -> Callable[[Key, Learner, Moves], tuple[Learner, Metrics]]:
    """PPO's update by moves `[B]`: passes over shuffled minibatches of them; arguments as of `ppo`."""

    def loss(key, params, extras, moves):
        if len(moves.advantage) * (1 if axis is None else lax.axis_size(axis)) == 1:
            raise BadInput("minibatches of one move: standardised, its advantage is 0; take fewer of them")
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

    return epochs(descend(loss, tx, axis), num_epochs, num_minibatches)


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
    policy_loss = -clipped_surrogate(log_ratio, moves.advantage, clip=clip)
    value_loss = jnp.square(value - moves.target) / 2
    return {
        "loss": policy_loss + value_weight * value_loss - entropy_weight * entropy,
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "entropy": entropy,
        "kl": ratio - 1 - log_ratio,
        "clipped": (jnp.abs(ratio - 1) > clip).astype(ratio.dtype),
    }
