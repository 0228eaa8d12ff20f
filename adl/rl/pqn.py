"""Q-learning without memory and without a copy that stays behind: many copies of the world at once instead.

    Q(s_t, a_t) <- G_t,   G_t = r_t + discount ((1 - lambda) max_a Q(s_{t+1}, a) + lambda G_{t+1})

A step plays T moves of each of E copies, epsilon-greedily, and passes over them several times, as PPO does. The layers
of the network are normalised, which is what keeps it from diverging.

Source: Gallici et al. 2024, arXiv:2407.04811, algorithm 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, descend, forward
from adl.core.epochs import epochs
from adl.core.types import Array, PyTree
from adl.rl.dqn import explorer, of_action
from adl.rl.environment.world import Environment, num_choices
from adl.rl.ppo import Agent
from adl.rl.returns import lambda_returns
from adl.rl.rollout import Transition, collect, start
from adl.rl.worth import expected


class Targeted(NamedTuple):
    """What the loss wants to know of B moves."""

    obs: Array  # [B, ...]
    action: Array  # [B]
    target: Array  # [B] of what it is worth


def pqn(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    env: Environment,
    num_envs: int,
    horizon: int,
    epsilon: float | Callable[[Array], Array],
    num_epochs: int = 2,
    num_minibatches: int = 16,
    discount: float = 0.99,
    lam: float = 0.65,
    axis: str | None = None,
) -> Algorithm:
    """PQN; state is an `Agent`, the batch is `()`.

    A step is `num_envs * horizon` moves and `num_epochs * num_minibatches` updates. It reports as `dqn` does.

    Args:
      model: `model.apply(variables, obs) -> Q [B, A]`, with normalised layers.
      tx: optax transformation; its schedules count updates.
      env: the environment, in which an action is one of A choices.
      num_envs: E >= 1, copies over all devices.
      horizon: T >= 1, moves of each copy a step.
      epsilon: in [0, 1], share of moves at random; a schedule is asked for the moves of all copies so far.
      num_epochs: >= 1, passes over the moves.
      num_minibatches: >= 1, of each pass.
      discount: in [0, 1], of rewards one move later.
      lam: in [0, 1], as in `lambda_returns`.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: if actions are vectors; at trace time, as `core.epochs`.
    Source: Gallici et al. 2024, arXiv:2407.04811, algorithm 1.
    """
    num_choices(env, "pqn")

    def loss(key, params, extras, moves):
        value, extras = forward(model, key, params, extras, moves.obs)
        value = of_action(value, moves.action)
        return {"loss": Mean.of(jnp.square(value - moves.target) / 2), "q": Mean.of(value)}, extras

    update = epochs(descend(loss, tx, axis), num_epochs, num_minibatches)

    def init(key, batch=()):
        env_key, model_key = jax.random.split(key)
        copies = start(env_key, env, num_envs)
        return Agent(Learner.create(model.init(model_key, copies.obs), tx), copies)

    def step(key, agent, batch=()):
        play_key, update_key = jax.random.split(key)
        share = epsilon(num_envs * agent.copies.current.time[0]) if callable(epsilon) else epsilon
        act = explorer(model, agent.learner.variables, expected, share)
        copies, seen, played = collect(play_key, env, act, agent.copies, horizon)
        moves = lambda_targets(model, agent.learner.variables, seen, discount=discount, lam=lam)
        learner, metrics = update(update_key, agent.learner, moves)
        return Agent(learner, copies), {**metrics, **played}

    return Algorithm(init, step, Agent(None, 0))


def lambda_targets(model: nn.Module, variables: PyTree, seen: Transition, *, discount: float, lam: float) -> Targeted:
    """Moves `[T E]` with what they are worth, from transitions `[T, E]`; arguments as in `pqn`."""
    following = model.apply(variables, seen.next_obs).max(-1)
    worth = lambda_returns(seen.reward, discount * ~seen.terminated, following, lam=lam * ~seen.truncated)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), Targeted(seen.obs, seen.action, worth))
