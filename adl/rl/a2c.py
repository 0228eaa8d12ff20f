"""Advantage actor-critic: one step along the policy's gradient on moves that are then forgotten, by a learned value.

    loss = E[-log pi(a|s) A + c_1 (V(s) - V_target)^2 / 2 - c_2 H[pi(.|s)]],   A held fixed

The first minibatch of the first epoch of PPO has this gradient too: A2C is PPO that stops there, without standardised
advantages. Source: Mnih et al. 2016, arXiv:1602.01783, algorithm S3 and eq. 5 of its section 4, whose threads are
copies side by side here; Huang et al. 2022, arXiv:2205.09123.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Mean, descend, forward
from adl.core.types import Array
from adl.rl.environment.world import Environment
from adl.rl.on_policy import Agent, Moves, playing
from adl.rl.policy import Actions, categorical


def a2c(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    env: Environment,
    num_envs: int,
    horizon: int,
    discount: float = 0.99,
    lam: float = 1.0,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
    actions: Actions = categorical,
    axis: str | None = None,
) -> Algorithm:
    """A2C; state is an `Agent`, the batch is `()`.

    A step is `num_envs * horizon` moves and one update. It reports the parts of the loss, "explained_variance", and
    "return" and "length" of the episodes that ended in it.

    Args:
      model: `model.apply(variables, obs) -> (numbers [B, P] of the actions' distribution, value [B])`.
      tx: optax transformation.
      env: the environment.
      num_envs: E >= 1, copies over all devices.
      horizon: T >= 1, moves of each copy a step.
      discount: in [0, 1], of rewards one move later.
      lam: in [0, 1], as in `gae`; 1 is the paper's: returns as far as the moves go, and the value after.
      value_weight: c_1 >= 0.
      entropy_weight: c_2 >= 0.
      actions: the distributions that the model's numbers stand for.
      axis: name of the mapped axis, or None.
    """

    def loss(key, params, extras, moves):
        (numbers, value), extras = forward(model, key, params, extras, moves.obs)
        log_prob, entropy = actions.log_prob(moves.action, numbers), actions.entropy(numbers)
        weights = {"value_weight": value_weight, "entropy_weight": entropy_weight}
        parts = a2c_loss(moves, log_prob, value, entropy, **weights)
        return {name: Mean.of(values) for name, values in parts.items()}, extras

    update = descend(loss, tx, axis)
    played = {"env": env, "num_envs": num_envs, "horizon": horizon, "discount": discount, "lam": lam}
    return Algorithm(*playing(model, tx, update, actions=actions, axis=axis, **played), Agent(None, 0))


def a2c_loss(
    moves: Moves, log_prob: Array, value: Array, entropy: Array, *, value_weight: float, entropy_weight: float
) -> Mapping[str, Array]:
    """The module's loss, move by move, in its parts.

    Args:
      moves: B moves.
      log_prob: `[B]` of the actions under the policy that is trained.
      value: `[B]` of the observations.
      entropy: `[B]` of the policy, in nats.
      value_weight: c_1 >= 0.
      entropy_weight: c_2 >= 0.

    Returns:
      "loss", "policy_loss", "value_loss" and "entropy", `[B]` each.
    """
    policy_loss = -log_prob * moves.advantage
    value_loss = jnp.square(value - moves.target) / 2
    loss = policy_loss + value_weight * value_loss - entropy_weight * entropy
    return {"loss": loss, "policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
