"""AlphaZero: a network that learns from its own games what a search with it finds.

The search improves the policy; the network learns the better policy, and who won; the next search begins from there.

    loss = -sum_a w(a) log p(a|s) + (z - v(s))^2                                                                (eq. 1)

with w the search's weights, and z what came of it. Some moves are drawn at random, so that the games spread over the
board; what follows them says nothing of the search's own play, so there z is what the search says of the state before.

Source: Silver et al. 2018, Science 362, 1140 (arXiv:1712.01815).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import lax

from adl.core import Algorithm, Learner, Mean, buffer, descend, forward, repeated, tree
from adl.core.types import Array, Key, PyTree
from adl.rl.environment.game import Game, uniform_player
from adl.rl.mcts import Judge, Search


class SelfPlay(NamedTuple):
    """A learner, its games and what it remembers of them; axes as in `AXES`."""

    learner: Learner
    boards: PyTree  # [B, ...] states of games that go on
    replay: buffer.Buffer  # of `Lesson`s
    stages: PyTree  # [K, ...] parameters as they were after so many steps each, at first as begun; () of none
    time: Array  # [] int32, steps


AXES = SelfPlay(None, 0, buffer.AXES, None, None)


class Lesson(NamedTuple):
    """What there is to learn of one state."""

    obs: Array  # [..., H, W, C]
    weights: Array  # [..., A] of the search
    value: Array  # [...] what came of it, for the side to move


class Turn(NamedTuple):
    """A move `[B]` of each game, as the side that made it sees it."""

    obs: Array
    weights: Array
    value: Array  # of the search
    strayed: Array  # boolean: the move was drawn at random
    ended: Array  # boolean: it ended the game
    outcome: Array  # of the game, if it did


def alphazero(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    game: Game,
    search: Search,
    num_games: int,
    horizon: int,
    capacity: int,
    num_updates: int,
    num_examples: int,
    stray: float = 0.25,
    value_weight: float = 1.0,
    kept: Sequence[int] = (),
    axis: str | None = None,
) -> Algorithm:
    """AlphaZero by self-play; state is a `SelfPlay`, the batch is `()`.

    A step is `num_games * horizon` moves, and `num_updates` updates on what is remembered. It reports the parts of the
    loss, and "ends", the share of moves that end a game: 1 over a game's mean length.

    Args:
      model: `model.apply(variables, obs [B, H, W, C]) -> (logits [B, A], values [B] in [-1, 1])`.
      tx: optax transformation; its schedules count updates.
      game: any.
      search: of a state that is not over.
      num_games: B >= 1, games side by side, over all devices.
      horizon: moves of each a step, >= 1.
      capacity: moves that are remembered, of all games; a multiple of `num_games`.
      num_updates: a step, >= 1.
      num_examples: remembered moves that an update learns from, over all devices.
      stray: in [0, 1], share of moves that are drawn at random.
      value_weight: >= 0, of the value's squared error in the loss.
      kept: steps after which the parameters are kept as a stage, each >= 1.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: at trace time, as `core.buffer`: if games, examples and capacity do not divide.
    Source: Silver et al. 2018, Science 362, eq. 1.
    """

    def loss(key, params, extras, lessons):
        (logits, value), extras = forward(model, key, params, extras, lessons.obs)
        policy_loss = optax.softmax_cross_entropy(logits, lessons.weights)
        value_loss = jnp.square(value - lessons.value)
        parts = {"loss": policy_loss + value_weight * value_loss, "policy_loss": policy_loss, "value_loss": value_loss}
        return {name: Mean.of(part) for name, part in parts.items()}, extras

    descended = descend(loss, tx, axis)

    def init(key, batch=()):
        one = game.init()
        boards = jax.tree.map(lambda x: jnp.repeat(jnp.asarray(x)[None], num_games, 0), one)
        obs = jax.vmap(game.obs)(boards)
        learner = Learner.create(model.init(key, obs[:1]), tx)
        lesson = Lesson(obs, jnp.zeros((num_games, game.num_actions)), jnp.zeros(num_games))
        stages = jax.tree.map(lambda x: jnp.repeat(x[None], len(kept), 0), learner.params) if kept else ()
        state = SelfPlay(learner, boards, buffer.create(lesson, capacity), stages, jnp.zeros((), jnp.int32))
        return tree.copy(state)

    def step(key, state, batch=()):
        play_key, update_key = jax.random.split(key)
        judge = judged_by(model, state.learner.variables, game)
        boards, seen = self_play(play_key, game, search, judge, state.boards, horizon, stray=stray)
        replay = buffer.extend(state.replay, lessons(seen, judge, boards, game))

        def update(key, learner, batch):
            sample_key, key = jax.random.split(key)
            return descended(key, learner, buffer.sample(sample_key, replay, num_examples, axis))

        learner, metrics = repeated(Algorithm(None, update), num_updates).step(update_key, state.learner, ())
        time, stages = state.time + 1, state.stages
        if kept:
            now = jax.tree.map(lambda new, old: jnp.broadcast_to(new[None], old.shape), learner.params, stages)
            stages = tree.where(jnp.asarray(kept) == time, now, stages)
        metrics = {**metrics, "ends": Mean.of(seen.ended)}
        return SelfPlay(learner, boards, replay, stages, time), metrics

    return Algorithm(init, step, AXES)


def judged_by(model: nn.Module, variables: PyTree, game: Game) -> Judge:
    """What a network says of a state: logits `[A]`, and its value."""

    def judge(key, state):
        logits, value = model.apply(variables, game.obs(state)[None])
        return logits[0], value[0]

    return judge


def self_play(
    key: Key, game: Game, search: Search, judge: Judge, boards: PyTree, horizon: int, *, stray: float
) -> tuple[PyTree, Turn]:
    """So many moves `[T, B]` of each game, which begins anew where it has ended.

    Args:
      key: consumed.
      game: any.
      search: chooses the moves.
      judge: that it asks.
      boards: `[B, ...]` states.
      horizon: T >= 1.
      stray: in [0, 1], share of moves that are drawn at random.
    """
    anything = uniform_player(game)

    def move(boards, key):
        obs = jax.vmap(game.obs)(boards)
        search_key, stray_key, any_key = jax.random.split(key, 3)
        found = jax.vmap(search, (0, None, 0))(jax.random.split(search_key, len(obs)), judge, boards)
        strayed = jax.random.bernoulli(stray_key, stray, (len(obs),))
        drawn = jax.vmap(anything)(jax.random.split(any_key, len(obs)), boards)
        after = jax.vmap(game.play)(boards, jnp.where(strayed, drawn, found.action))
        ended = jax.vmap(game.ended)(after)
        seen = Turn(obs, found.weights, found.value, strayed, ended, -jax.vmap(game.outcome)(after))
        fresh = jax.tree.map(lambda new, old: jnp.broadcast_to(new, old.shape), game.init(), after)
        return tree.where(ended, fresh, after), seen

    return lax.scan(move, boards, jax.random.split(key, horizon))


def lessons(seen: Turn, judge: Judge, boards: PyTree, game: Game) -> Lesson:
    """What moves `[T, B]` teach; games that go on are worth what the judge says of the boards that they have come to.

    z_t = what the search said, if the move was drawn;  else the outcome, if it ended the game;  else -z_{t+1}
    """
    _, following = jax.vmap(judge, (None, 0))(None, boards)

    def back(following, move):
        value = jnp.where(move.strayed, move.value, jnp.where(move.ended, move.outcome, -following))
        return value, value

    _, value = lax.scan(back, following, seen, reverse=True)
    return Lesson(seen.obs, seen.weights, value)
