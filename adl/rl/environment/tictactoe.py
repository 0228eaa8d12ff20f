"""Tic-tac-toe: three in a row on nine squares; a draw, if nobody errs."""

import jax.numpy as jnp

from adl.rl.environment.game import Game
from adl.rl.environment.rows import row_game


def tictactoe(side: int = 3, length: int = 3) -> Game:
    """The game; action `side * row + column`, from the top left, is called "a1", "b1" ... by column and row.

    Args:
      side: of the square board.
      length: of a row that wins.
    Raises:
      BadInput: if no such row fits.
    """
    return row_game(
        (side, side),
        length,
        place=lambda stones, action: (jnp.arange(side * side) == action).reshape(side, side),
        legal=lambda stones: stones.ravel() == 0,
        words=[f"{chr(ord('a') + column)}{row + 1}" for row in range(side) for column in range(side)],
    )
