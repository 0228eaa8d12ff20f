"""Matches between two players: from openings that are drawn, each played twice with the colours exchanged."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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

    def turn(carry):
        key, time, pair, score = carry
        key, now = jax.random.split(key)
        return key, time + 1, *jax.tree.map(lambda x: x[::-1], _turn(now, game, moves, pair, score))

    def going(carry):
        return ~_each(game.ended)(carry[2]).all()

    pair = jax.tree.map(lambda x: jnp.stack([x, x]), boards)
    begun = (key, jnp.int32(0), pair, jnp.zeros((2, count)))
    _, time, _, score = lax.while_loop(going, turn, begun)
    return jnp.where(time % 2 == 0, score, score[::-1])  # after an odd number the boards have changed places


SIGNS = np.array([[-1.0], [1.0]], np.float32)  # what is told is of the side to move after the one's, the other's move


def _each(fn: Callable) -> Callable:
    """Of both boards of each opening."""
    return jax.vmap(jax.vmap(fn))


def _turn(
    key: Key, game: Game, moves: Callable[[Key, PyTree], Array], pair: PyTree, score: Array
) -> tuple[PyTree, Array]:
    """Each player moves on the boards that wait for it, which then wait for the other; and outcomes for the one."""
    after = _each(game.play)(pair, moves(jax.random.split(key, (2, score.shape[1])), pair))
    ends = _each(game.ended)(after) & ~_each(game.ended)(pair)
    return after, jnp.where(ends, SIGNS * _each(game.outcome)(after), score)


class Struggle(NamedTuple):
    """Games of one player against another as far as they went; the one is to move on the boards of row 0 at first."""

    balance: Array  # [T, 2, N] what each state is worth for the one, after so many moves of both
    score: Array  # [2, N] outcomes for the one: 1, 0, -1, and 0 of what is not over
    shown: PyTree  # [T, ...] the first game


def struggle(
    key: Key,
    game: Game,
    moves: Callable[[Key, PyTree], Array],
    boards: PyTree,
    num_moves: int,
    *,
    worth: Callable[[PyTree], Array],
    view: Callable[[PyTree], PyTree],
) -> Struggle:
    """Games that need not come to their end, by what the states are worth on the way.

    Args:
      key: consumed.
      game: any.
      moves: `moves(keys [2, N], boards [2, N, ...]) -> actions [2, N]`: of the one on row 0, of the other on row 1.
      boards: `[N, ...]` from which each side is played once.
      num_moves: T >= 1, of both players together, an even number.
      worth: of a state, for the side to move.
      view: of a state, what is kept of the first game.
    """

    def turn(carry, now):
        pair, score, before = carry
        going = ~_each(game.ended)(pair)
        after, score = _turn(now[0], game, moves, pair, score)
        told = jnp.where(going, SIGNS * _each(worth)(after), before)  # whose turn it is no longer changes after the end
        seen = jax.tree.map(lambda x: x[now[1] % 2, 0], after)
        carry = jax.tree.map(lambda x: x[::-1], (after, score, told))
        return carry, (jnp.where(now[1] % 2 == 0, told, told[::-1]), view(seen))

    start, none = jax.tree.map(lambda x: jnp.stack([x, x]), boards), jnp.zeros((2, len(jax.tree.leaves(boards)[0])))
    numbered = (jax.random.split(key, num_moves), jnp.arange(num_moves))
    (_, score, _), (balance, shown) = lax.scan(turn, (start, none, none), numbered)
    return Struggle(balance, score, shown)


def struggles(
    game: Game,
    players: Callable[[Any], Mapping[str, Player]],
    pairs: Sequence[tuple[str, str]],
    *,
    worth: Callable[[PyTree], Array],
    view: Callable[[PyTree], PyTree],
    num_openings: int,
    num_moves: int,
) -> Probe:
    """Probe: how players do against others by what the boards are worth, from openings of four moves at random.

    Of each pair "one_other", the mean gain of the one at the end; and over pairs "gain" `[P]` with its standard error
    over openings, "error"; "score", with draws and what is not over as a half; "course" `[P, T]`, gains over moves; and
    of the first pair's first game "boards" `[T, ...]` and "lead" `[T]`.

    Args:
      game: any.
      players: `players(state)`, by name.
      pairs: P of these names.
      worth: of a state, for the side to move.
      view: of a state, as in `struggle`.
      num_openings: N >= 2, each played twice.
      num_moves: T, of both together; even.
    """

    def probe(key: Key, state: Any) -> dict[str, Mean | Array]:
        known = players(state)
        each = [jax.vmap(player) for player in known.values()]
        board_key, key = jax.random.split(key)
        boards = openings(board_key, game, num_openings, 4)

        def one(numbered):
            key, who = numbered

            def moves(keys, pair):
                return lax.map(lambda of: lax.switch(of[0], each, of[1], of[2]), (who, keys, pair))

            return struggle(key, game, moves, boards, num_moves, worth=worth, view=view)

        who = jnp.array([[[*known].index(name) for name in pair] for pair in pairs])
        found = lax.map(one, (jax.random.split(key, len(pairs)), who))
        course = found.balance + (SIGNS * jax.vmap(worth)(boards)[None])[None, None]  # [P, T, 2, N]
        gain = course[:, -1].mean(1)  # [P, N]
        names = {f"{a}_{b}": Mean.of(value) for (a, b), value in zip(pairs, gain, strict=True)}
        return {
            **names,
            "gain": gain.mean(1),
            "error": gain.std(1, ddof=1) / num_openings**0.5,
            "score": (1 + found.score).mean((1, 2)) / 2,
            "course": course.mean((2, 3)),
            "boards": jax.tree.map(lambda x: x[0], found.shown),
            "lead": found.balance[0, :, 0, 0],
        }

    return probe


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
