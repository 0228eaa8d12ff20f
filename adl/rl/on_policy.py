"""What agents that learn from their latest moves share: they play, judge each move, learn from all, and forget them."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from adl.core import Learner, Mean
from adl.core.types import Array, Key, Metrics, PyTree
from adl.rl.advantage import gae
from adl.rl.environment.world import Environment
from adl.rl.policy import Actions, categorical
from adl.rl.rollout import Act, Copies, Transition, collect, reported, start


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


def playing(
    model: nn.Module,
    tx: optax.GradientTransformation,
    update: Callable[[Key, Learner, Moves], tuple[Learner, Metrics]],
    *,
    env: Environment,
    num_envs: int,
    horizon: int,
    discount: float,
    lam: float,
    actions: Actions,
    axis: str | None = None,
) -> tuple[Callable, Callable]:
    """`init` and `step` of an algorithm whose state is an `Agent`: T moves of each of E copies, then an update by them.

    Args:
      model: `model.apply(variables, obs) -> (numbers [B, P] of the actions' distribution, value [B])`.
      tx: of the update.
      update: `update(key, learner, moves [T E]) -> (learner, metrics)`.
      env: the environment.
      num_envs: E >= 1, copies over all devices.
      horizon: T >= 1, moves of each copy a step.
      discount: in [0, 1].
      lam: in [0, 1], as in `gae`.
      actions: the distributions that the model's numbers stand for.
      axis: name of the mapped axis, or None.
    """
    teach = judging(model, update, discount=discount, lam=lam, axis=axis)

    def init(key, batch=()):
        return beginning(key, model, tx, env, num_envs)

    def step(key, agent, batch=()):
        play_key, update_key = jax.random.split(key)
        act = actor(model, agent.learner.variables, actions)
        copies, seen, metrics = collect(play_key, env, act, agent.copies, horizon)
        learner, losses = teach(update_key, agent.learner, seen)
        return Agent(learner, copies), {**losses, **metrics}

    return init, step


def watching(
    model: nn.Module,
    tx: optax.GradientTransformation,
    update: Callable[[Key, Learner, Moves], tuple[Learner, Metrics]],
    *,
    discount: float,
    lam: float,
    actions: Actions,
    axis: str | None = None,
) -> tuple[Callable, Callable]:
    """`init` and `step` of an algorithm whose state is a `Learner`, and whose batch is what `Happened` to its actor.

    The actor has the learner's variables, so that what it would have said of its moves is what they say.

    Args:
      model: as of `playing`, and so are all others.
      tx: of the update.
      update: of the learner.
      discount: in [0, 1].
      lam: in [0, 1].
      actions: the distributions that the model's numbers stand for.
      axis: name of the mapped axis, or None.
    """
    teach = judging(model, update, discount=discount, lam=lam, axis=axis)

    def init(key, batch):
        return Learner.create(model.init(key, batch.moves.obs[:, 0]), tx)

    def step(key, learner, batch):
        seen, metrics = reported(batch)
        numbers, value = model.apply(learner.variables, seen.obs)
        seen = seen._replace(said=(actions.log_prob(seen.action, numbers), value))
        learner, losses = teach(key, learner, seen)
        return learner, {**losses, **metrics}

    return init, step


def judging(
    model: nn.Module,
    update: Callable[[Key, Learner, Moves], tuple[Learner, Metrics]],
    *,
    discount: float,
    lam: float,
    axis: str | None,
) -> Callable[[Key, Learner, Transition], tuple[Learner, Metrics]]:
    """`teach(key, learner, seen [T, E])`: the learner after an update by its moves, judged; arguments as of `playing`.

    Its metrics are the update's, and "explained_variance".
    """

    def teach(key, learner, seen):
        moves = judged(model, learner.variables, seen, discount=discount, lam=lam)
        learner, losses = update(key, learner, moves)
        explained = explained_variance(moves.target, moves.target - moves.advantage, axis)
        return learner, {**losses, "explained_variance": explained}

    return teach


def beginning(
    key: Key, model: nn.Module, tx: optax.GradientTransformation, env: Environment, num_envs: int, window: int = 100
) -> Agent:
    """A fresh learner among copies at the beginning of their first episodes.

    Args:
      key: consumed.
      model: of observations `[E, ...]`.
      tx: of the learner.
      env: the environment.
      num_envs: E >= 1.
      window: as in `rollout.start`.
    """
    env_key, model_key = jax.random.split(key)
    copies = start(env_key, env, num_envs, window=window)
    return Agent(Learner.create(model.init(model_key, copies.obs), tx), copies)


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
      model: as in `playing`.
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


def explained_variance(target: Array, value: Array, axis: str | None = None) -> Mean:
    """Share of the targets' variance that the values explain: 1 - Var(target - value) / Var(target), at most 1.

    As a mean whose weight is the variance, about the mean over all devices; steps merge by what each of them explains
    of its own. 0 is what a constant explains.

    Args:
      target: `[B]`, this device's share.
      value: `[B]`.
      axis: name of the mapped axis, or None.
    """

    def squares(x):
        mean = x.mean() if axis is None else lax.pmean(x.mean(), axis)
        return jnp.square(x - mean).sum()

    spread, missed = squares(target), squares(target - value)
    return Mean(spread - missed, spread)
