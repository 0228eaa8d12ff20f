"""Connect four: stones fall to the lowest free square of a column; four in a row win.

On the usual board, six high and seven wide, who begins wins by the middle column (Allis 1988, "A knowledge-based
approach of connect-four"; Allen 1988); on 4x5 and 4x4 nobody does.
"""

import jax.numpy as jnp

from adl.rl.environment.game import Game
from adl.rl.environment.rows import row_game


def connect_four(height: int = 6, width: int = 7, length: int = 4) -> Game:
    """The game; action c is the column c from the left, and is called "1", "2" ...

    Args:
      height: rows of the board.
      width: columns, the number of actions.
      length: of a row that wins.
    Raises:
      BadInput: if no such row fits.
    """

    def place(stones, action):
        row = (stones[:, action] == 0).sum() - 1  # the first row is the top
        return (jnp.arange(height) == row)[:, None] & (jnp.arange(width) == action)[None]

    return row_game(
        (height, width),
        length,
        place=place,
        legal=lambda stones: stones[0] == 0,
        words=[str(column + 1) for column in range(width)],
    )
