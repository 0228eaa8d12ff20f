"""Matches between two players: from openings that are drawn, each played twice with the colours exchanged."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import Mean, tree
from adl.core.types import Array, Key, PyTree
from adl.rl.environment.game import Game, Player, uniform_player


def openings(key: Key, game: Game, num_openings: int, num_moves: int) -> PyTree:
    """States `[N, ...]` after so many moves that are drawn at random.

    Args:
      key: consumed.
      game: one that cannot be over by then.
      num_openings: N >= 1.
      num_moves: >= 0.
    """
    boards = jax.tree.map(lambda x: jnp.repeat(jnp.asarray(x)[None], num_openings, 0), game.init())

    def move(boards, key):
        keys = jax.random.split(key, num_openings)
        return jax.vmap(game.play)(boards, jax.vmap(uniform_player(game))(keys, boards)), None

    return lax.scan(move, boards, jax.random.split(key, num_moves))[0]


def match(key: Key, game: Game, one: Player, other: Player, boards: PyTree) -> Array:
    """Outcomes `[2, N]` for `one`, in -1, 0, 1: where it is to move on the boards, and where `other` is.

    Args:
      key: consumed.
      game: any.
      one: a player.
      other: another.
      boards: `[N, ...]` states that are not over.
    """
    count = len(jax.tree.leaves(boards)[0])

    def moved(player, key, boards, score, sign):
        """The boards after the player's move, and the score, which `sign` makes that of `one`."""
        keys = jax.random.split(key, count)
        after = jax.vmap(game.play)(boards, jax.vmap(player)(keys, boards))
        now_over = jax.vmap(game.ended)(after) & ~jax.vmap(game.ended)(boards)
        return after, jnp.where(now_over, -sign * jax.vmap(game.outcome)(after), score)

    def turn(carry):
        """Each player moves on the boards that wait for it, which then wait for the other."""
        key, time, ones, others = carry
        key, one_key, other_key = jax.random.split(key, 3)
        return key, time + 1, moved(other, other_key, *others, -1.0), moved(one, one_key, *ones, 1.0)

    def going(carry):
        _, _, (ones, _), (others, _) = carry
        return ~(jax.vmap(game.ended)(ones).all() & jax.vmap(game.ended)(others).all())

    begun = (boards, jnp.zeros(count))
    _, time, (_, first), (_, second) = lax.while_loop(going, turn, (key, jnp.int32(0), begun, begun))
    # After an odd number of turns the boards have changed places.
    return tree.where(time % 2 == 0, jnp.stack([first, second]), jnp.stack([second, first]))


def match_result(outcomes: Array) -> dict[str, Mean]:
    """Of outcomes in -1, 0, 1: "score", with draws as a half; "lower", the end of its 95 % interval; wins and losses.

    The interval is that of the mean over openings, each of which is played with both colours: m - 1.96 s / sqrt(N).

    Args:
      outcomes: `[2, N]` as of `match`.
    """
    points = (1 + outcomes) / 2
    pairs = points.mean(0)
    lower = pairs.mean() - 1.96 * pairs.std(ddof=1) / jnp.sqrt(pairs.size)
    results = {"score": Mean.of(points), "lower": Mean.of(lower)}
    return {**results, "won": Mean.of(outcomes > 0), "lost": Mean.of(outcomes < 0)}


def round_robin(key: Key, game: Game, player: Callable[[PyTree], Player], stages: PyTree, boards: PyTree) -> Array:
    """Points `[K, K]` of each stage of a player against each other one: 1 a win, 1/2 a draw; 2 N games a pair.

    Args:
      key: consumed.
      game: any.
      player: that of a stage.
      stages: `[K, ...]`, such as parameters, K >= 2.
      boards: `[N, ...]` from which each pair plays twice.
    """
    count = len(jax.tree.leaves(stages)[0])
    rows, columns = np.triu_indices(count, 1)

    def one(pair):
        key, row, column = pair
        outcomes = match(key, game, player(tree.take(stages, row)), player(tree.take(stages, column)), boards)
        return ((1 + outcomes) / 2).sum()

    points = lax.map(one, (jax.random.split(key, len(rows)), jnp.asarray(rows), jnp.asarray(columns)))
    games = 2 * len(jax.tree.leaves(boards)[0])
    return jnp.zeros((count, count)).at[rows, columns].set(points).at[columns, rows].set(games - points)
