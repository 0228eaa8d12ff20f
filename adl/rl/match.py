"""Matches between two players: from openings that are drawn, each played twice with the colours exchanged."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import Mean, Probe, tree
from adl.core.types import Array, Key, PyTree
from adl.measure.elo import elo
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

    def moves(keys, pair):
        both = [jax.vmap(player)(keys[i], tree.take(pair, i)) for i, player in enumerate((one, other))]
        return jnp.stack(both)

    return _matched(key, game, moves, boards)


def _matched(key: Key, game: Game, moves: Callable[[Key, PyTree], Array], boards: PyTree) -> Array:
    """The same for players who move together: (keys `[2, N]`, boards `[2, N, ...]` that wait for each) -> `[2, N]`."""
    count = len(jax.tree.leaves(boards)[0])
    each = lambda fn: jax.vmap(jax.vmap(fn))  # noqa: E731

    def turn(carry):
        """Each player moves on the boards that wait for it, which then wait for the other."""
        key, time, pair, score = carry
        key, now = jax.random.split(key)
        after = each(game.play)(pair, moves(jax.random.split(now, (2, count)), pair))
        ends = each(game.ended)(after) & ~each(game.ended)(pair)
        # Outcomes are of the side to move after the one's, and after the other's move.
        signs = jnp.array([[-1.0], [1.0]])
        score = jnp.where(ends, signs * each(game.outcome)(after), score)
        return key, time + 1, *jax.tree.map(lambda x: x[::-1], (after, score))

    def going(carry):
        return ~each(game.ended)(carry[2]).all()

    pair = jax.tree.map(lambda x: jnp.stack([x, x]), boards)
    begun = (key, jnp.int32(0), pair, jnp.zeros((2, count)))
    _, time, _, score = lax.while_loop(going, turn, begun)
    return jnp.where(time % 2 == 0, score, score[::-1])  # after an odd number the boards have changed places


def match_result(outcomes: Array) -> dict[str, Mean]:
    """Of outcomes in -1, 0, 1: "score", with draws as a half; "lower", the end of its 95 % interval; wins and losses.

    The interval is that of the mean over openings, each of which is played with both colours: m - 1.96 s / sqrt(N). It
    is for many openings: where all score alike it has no width, and one has none at all.

    Args:
      outcomes: `[2, N]` as of `match`.
    """
    points = (1 + outcomes) / 2
    pairs = points.mean(0)
    lower = pairs.mean() - 1.96 * pairs.std(ddof=1) / jnp.sqrt(pairs.size)
    results = {"score": Mean.of(points), "lower": Mean.of(lower)}
    return {**results, "won": Mean.of(outcomes > 0), "lost": Mean.of(outcomes < 0)}


def match_against(
    game: Game, player: Callable[[Any], Player], other: Player, *, num_openings: int, num_moves: int = 2
) -> Probe:
    """Probe: the `match_result` of what is trained against another player.

    Args:
      game: any.
      player: `player(state)`.
      other: a player that does not learn.
      num_openings: N >= 2, each played twice.
      num_moves: of each opening, drawn at random.
    """

    def probe(key: Key, state: Any) -> dict[str, Mean]:
        board_key, key = jax.random.split(key)
        boards = openings(board_key, game, num_openings, num_moves)
        return match_result(match(key, game, player(state), other, boards))

    return probe


def rated(
    game: Game, player: Callable[[PyTree], Player], stages: Callable[[Any], PyTree], *, num_openings: int
) -> Probe:
    """Probe: "rating" `[K]`, Elo of the stages of a player by matches among them, the first 0; "gain", the last's.

    Args:
      game: any.
      player: that of a stage.
      stages: `stages(state)` `[K, ...]`, K >= 2.
      num_openings: N >= 1, of two moves at random, each of which every pair plays twice.
    """

    def probe(key: Key, state: Any) -> dict[str, Mean | Array]:
        board_key, key = jax.random.split(key)
        boards = openings(board_key, game, num_openings, 2)
        rating = elo(round_robin(key, game, player, stages(state), boards))
        return {"rating": rating, "gain": Mean.of(rating[-1])}

    return probe


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
        two = jax.tree.map(lambda x: jnp.stack([x[row], x[column]]), stages)

        def moves(keys, pair):
            return lax.map(lambda of: jax.vmap(player(of[0]))(of[1], of[2]), (two, keys, pair))

        return ((1 + _matched(key, game, moves, boards)) / 2).sum()

    points = lax.map(one, (jax.random.split(key, len(rows)), jnp.asarray(rows), jnp.asarray(columns)))
    games = 2 * len(jax.tree.leaves(boards)[0])
    return jnp.zeros((count, count)).at[rows, columns].set(points).at[columns, rows].set(games - points)
