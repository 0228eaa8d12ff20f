"""Deep Q-learning: what each action is worth, learned from remembered moves.

    Q(s_t, a_t) <- r_t + discount max_a Q'(s_{t+1}, a)

with moves drawn from a memory, and with Q' a copy of Q that stays behind, since a target that moves with every update
need not come to rest. The memory is within the compiled step, in the rows of the copies that it remembers.

What followed DQN is arguments: `double` (van Hasselt et al. 2016) is a way to choose the action that follows, n-step
returns (Sutton 1988) and priorities (Schaul et al. 2016) are memories, C51 (Bellemare et al. 2017) is a `Worth`,
dueling (Wang et al. 2016) and noisy networks (Fortunato et al. 2018) are models; Rainbow (Hessel et al. 2018,
arXiv:1710.02298) is all of them.

Source: Mnih et al. 2015, Nature 518, algorithm 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Key, Learner, Mean, Metrics, descend, forward, repeated
from adl.core.teacher import Decay, Teacher, follow, follower
from adl.core.types import Array, PyTree
from adl.rl.environment.world import Environment, num_choices
from adl.rl.replay import Replay, alike, with_moves
from adl.rl.returns import n_step
from adl.rl.rollout import Act, Copies, collect, reported, start
from adl.rl.worth import Worth, expected

Chooser = Callable[[Array, Array], Array]  # (Q of the network, Q of its copy) [B, A] -> by what the next action is best


class Thinker(NamedTuple):
    """A learner with its copy that stays behind, its copies of the world and what it remembers of them."""

    learner: Learner
    target: Teacher
    copies: Copies  # [E, ...]
    memory: PyTree


def maximum(online: Array, target: Array) -> Array:
    """The next action is the one that the copy thinks best, as in Q-learning."""
    return target


def double(online: Array, target: Array) -> Array:
    """The next action is the network's own best, and the copy says what it is worth, so that luck counts once.

    Source: van Hasselt, Guez & Silver 2016, arXiv:1509.06461, eq. 4.
    """
    return online


def dqn(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    env: Environment,
    num_envs: int,
    horizon: int,
    num_updates: int,
    batch_size: int,
    capacity: int,
    warmup: int,
    epsilon: float | Callable[[Array], Array],
    target: Decay,
    discount: float = 0.99,
    choose: Chooser = maximum,
    worth: Worth = expected,
    memory: Replay = alike,
    axis: str | None = None,
) -> Algorithm:
    """DQN and its descendants; state is a `Thinker`, the batch is `()`.

    A step is `num_envs * horizon` moves and `num_updates` updates. It reports the loss, "q", what the moves that were
    drawn are thought to be worth, and "return" and "length" of the episodes that ended in it.

    Args:
      model: `model.apply(variables, obs) -> numbers [B, A, ...]` of `worth`; it may draw noise of its own.
      tx: optax transformation; its schedules count updates.
      env: the environment, in which an action is one of A choices.
      num_envs: E >= 1, copies over all devices.
      horizon: T >= 1, moves of each copy a step.
      num_updates: >= 1, a step.
      batch_size: B >= 1, windows of moves an update, over all devices.
      capacity: moves that are remembered, over all devices; a multiple of `num_envs`.
      warmup: moves at random of all copies before the first step; of each a window of the memory at least.
      epsilon: in [0, 1], share of moves at random; a schedule is asked for the moves of all copies so far.
      target: how the copy follows the network, by updates: `teacher.every(n)`, or a number such as 0.99.
      discount: in [0, 1], of rewards one move later.
      choose: `maximum` or `double`.
      worth: what the numbers stand for.
      memory: how moves are remembered; its windows of n moves make n-step returns.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: if actions are vectors, or the capacity does not fit.
    Source: Mnih et al. 2015, Nature 518, algorithm 1.
    """
    num_actions = num_choices(env, "dqn")

    learns = {"num_updates": num_updates, "batch_size": batch_size, "target": target, "discount": discount}
    updates = thinking(
        model, tx, **learns, choose=choose, worth=worth, memory=memory, num_actions=num_actions, axis=axis
    )

    def init(key, batch=()):
        start_key, play_key, model_key = jax.random.split(key, 3)
        copies = start(start_key, env, num_envs)
        copies, seen, _ = collect(play_key, env, at_random(num_actions), copies, max(warmup // num_envs, memory.length))
        remembers = with_moves(memory, memory.create(jax.tree.map(lambda x: x[0], seen), capacity), seen)
        learner = Learner.create(model.init(model_key, copies.obs), tx)
        return Thinker(learner, follower(learner.variables), copies, remembers)

    def step(key, state, batch=()):
        play_key, learn_key = jax.random.split(key)
        share = epsilon(num_envs * state.copies.current.time[0]) if callable(epsilon) else epsilon
        act = explorer(model, state.learner.variables, worth, share)
        copies, seen, played = collect(play_key, env, act, state.copies, horizon)
        learned = (state.learner, state.target, with_moves(memory, state.memory, seen))
        (learner, copy, remembers), metrics = updates(learn_key, learned)
        return Thinker(learner, copy, copies, remembers), {**metrics, **played}

    return Algorithm(init, step, Thinker(None, None, 0, memory.axes))


class Watcher(NamedTuple):
    """A learner with its copy that stays behind, and what it remembers of the moves of an actor."""

    learner: Learner
    target: Teacher
    memory: PyTree
    num_moves: Array  # [] int32, of all copies so far


def dqn_outside(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    num_updates: int,
    batch_size: int,
    capacity: int,
    warmup: int,
    target: Decay,
    discount: float = 0.99,
    choose: Chooser = maximum,
    worth: Worth = expected,
    memory: Replay = alike,
    axis: str | None = None,
) -> Algorithm:
    """DQN in a world outside the program: state is a `Watcher`, the batch what `Happened` to an actor that has it.

    Args:
      model: as of `dqn`.
      tx: optax transformation; its schedules count updates.
      num_updates: >= 1, a step.
      batch_size: B >= 1, windows of moves an update, over all devices.
      capacity: moves that are remembered, over all devices; a multiple of the copies.
      warmup: moves of all copies before the first update, from the actor as it is; each step there reports no loss.
      target: how the copy follows the network, by updates.
      discount: in [0, 1], of rewards one move later.
      choose: `maximum` or `double`.
      worth: what the numbers stand for.
      memory: how moves are remembered.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: if the capacity does not fit.
    Source: Mnih et al. 2015, Nature 518, algorithm 1.
    """
    learns = {"num_updates": num_updates, "batch_size": batch_size, "target": target, "discount": discount}
    updates = thinking(model, tx, **learns, choose=choose, worth=worth, memory=memory, axis=axis)

    def init(key, batch):
        like = jax.tree.map(lambda x: x[:, 0], batch.moves)
        learner = Learner.create(model.init(key, like.obs), tx)
        return Watcher(learner, follower(learner.variables), memory.create(like, capacity), jnp.zeros((), jnp.int32))

    def step(key, state, batch):
        seen, played = reported(batch)
        learned = (state.learner, state.target, with_moves(memory, state.memory, seen))
        devices = 1 if axis is None else jax.lax.axis_size(axis)
        num_moves = state.num_moves + seen.reward.size * devices
        nothing = jax.tree.map(jnp.zeros_like, jax.eval_shape(updates, key, learned)[1])
        (learner, copy, remembers), metrics = jax.lax.cond(
            num_moves >= warmup, updates, lambda key, learned: (learned, nothing), key, learned
        )
        return Watcher(learner, copy, remembers, num_moves), {**metrics, **played}

    return Algorithm(init, step, Watcher(None, None, memory.axes, None))


def exploring(
    model: nn.Module, worth: Worth, epsilon: Callable[[Array], Array]
) -> tuple[Callable[[Watcher], PyTree], Callable[[PyTree], Act]]:
    """What an actor sees of a `Watcher`, and how it acts by that: epsilon-greedily.

    Args:
      model: as of `dqn`.
      worth: what its numbers stand for.
      epsilon: share of moves at random, by the moves of all copies so far.
    """
    return (
        lambda state: (state.learner.variables, epsilon(state.num_moves)),
        lambda seen: explorer(model, seen[0], worth, seen[1]),
    )


def thinking(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    num_updates: int,
    batch_size: int,
    target: Decay,
    discount: float,
    choose: Chooser,
    worth: Worth,
    memory: Replay,
    num_actions: int | None = None,
    axis: str | None,
) -> Callable[[Key, tuple], tuple[tuple, Metrics]]:
    """`updates(key, (learner, copy, memory))`: these after `num_updates` updates; arguments as of `dqn`.

    Where `num_actions` are known, the model must have as many.
    """

    def loss(key, params, extras, followed, window, weight):
        now_key, online_key, target_key = jax.random.split(key, 3)
        ahead = jax.vmap(n_step, (0, 0, 0, None))(window.reward, window.terminated, window.truncated, discount)
        next_obs = jax.vmap(lambda obs, last: obs[last])(window.next_obs, ahead.last)
        numbers, after = forward(model, now_key, params, extras, window.obs[:, 0])
        online, _ = forward(model, online_key, jax.lax.stop_gradient(params), extras, next_obs)
        following = model.apply(followed, next_obs, rngs={"dropout": target_key})
        chex.assert_shape(worth.value(numbers), (len(weight), num_actions))
        action = choose(worth.value(online), worth.value(following)).argmax(-1)
        thought = of_action(numbers, window.action[:, 0])
        losses, surprise = worth.loss(thought, ahead.reward, ahead.discount, of_action(following, action))
        value = of_action(worth.value(numbers), window.action[:, 0])
        return {"loss": Mean.of(weight * losses), "q": Mean.of(value)}, after, surprise

    descent = descend(loss, tx, axis)

    def update(key, state, batch):
        learner, copy, remembers = state
        draw_key, learn_key = jax.random.split(key)
        drawn = memory.draw(draw_key, remembers, batch_size, axis)
        learner, metrics, surprise = descent(learn_key, learner, copy.variables, drawn.window, drawn.weight)
        remembers = memory.judge(remembers, drawn, surprise, axis)
        return (learner, follow(copy, learner.variables, target), remembers), metrics

    many = repeated(Algorithm(None, update), num_updates)
    return lambda key, learned: many.step(key, learned, ())


def of_action(numbers: Array, action: Array) -> Array:
    """`[B, ...]` numbers of the actions `[B]` among `[B, A, ...]`."""
    return jax.vmap(lambda row, one: row[one])(numbers, action)


def at_random(num_actions: int) -> Act:
    """Any of A actions, each as likely as any other."""
    return lambda key, obs: (jax.random.randint(key, (len(obs),), 0, num_actions), ())


def falling(end: Array | float, num_moves: Array | float) -> Callable[[Array], Array]:
    """Share of moves at random by the moves so far: from 1 on a straight line to `end` at `num_moves`, and no further.

    Source: Mnih et al. 2015, Nature 518, extended data table 1.
    """
    return lambda moves: 1 - (1 - end) * jnp.minimum(moves / num_moves, 1)


def explorer(model: nn.Module, variables: PyTree, worth: Worth, epsilon: Array | float) -> Act:
    """The best action but for a share `epsilon` in [0, 1] of the moves, which are at random: epsilon-greedy."""

    def act(key: Key, obs: Array):
        noise_key, coin_key, other_key = jax.random.split(key, 3)
        value = worth.value(model.apply(variables, obs, rngs={"dropout": noise_key}))
        other, _ = at_random(value.shape[-1])(other_key, obs)
        return jnp.where(jax.random.bernoulli(coin_key, epsilon, (len(obs),)), other, value.argmax(-1)), ()

    return act
