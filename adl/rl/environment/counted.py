"""Games in which one can count who is ahead before they end: chess by its material."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core.types import Array, PyTree
from adl.rl.environment import chess
from adl.rl.environment.game import Game
from adl.rl.environment.games import named_game


class Counted(NamedTuple):
    """A game, and what can be counted in it."""

    game: Game
    worth: Callable[[PyTree], Array]  # state -> [] of the side to move, in the game's own unit
    gains: Callable[[PyTree], Array]  # state -> [A] what each action wins of it at once; -inf where it is not legal
    pairs: tuple[tuple[int, int, int], ...]  # A: the squares that an action joins, and its kind
    view: Callable[[PyTree], Array]  # state -> [H, W] int32 men, those of the first player positive
    unit: float  # of the worth that decides a game, more or less
    called: str  # what the worth is counted in


def counted_game(name: str) -> Counted:
    """Chess by material, seen as `chess.squares_view`; any other game of squares by its outcome.

    Args:
      name: "chess", or of a game in which an action is a square, such as "tictactoe".
    """
    game = named_game(name)
    if name == "chess":
        seen = game._replace(obs=chess.squares_view)
        pairs, view = chess.square_pairs(), chess.whites_view
        return Counted(seen, chess.material, chess.material_gains, pairs, view, 10.0, "pawns")
    pairs = tuple((square, square, 0) for square in range(game.num_actions))
    return Counted(game, game.outcome, tried_gains(game, game.outcome), pairs, _stones, 1.0, "wins")


def tried_gains(game: Game, worth: Callable[[PyTree], Array]) -> Callable[[PyTree], Array]:
    """What each action wins, by trying it out: `gains(state)` `[A]`; for games with few.

    Args:
      game: any.
      worth: of a state, for the side to move.
    """

    def gains(state):
        after = jax.vmap(game.play, (None, 0))(state, jnp.arange(game.num_actions))
        return jnp.where(game.legal(state), -jax.vmap(worth)(after) - worth(state), -jnp.inf)

    return gains


def _stones(state: PyTree) -> Array:
    """Of a board of rows; the first player is to move where there are as many of both."""
    stones = state.stones.astype(jnp.int32)
    return jnp.where(stones.sum() == 0, stones, -stones)
