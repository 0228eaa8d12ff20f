"""Games on a board of squares that are won by a row of stones: what tic-tac-toe and connect four have in common."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from adl.core import BadInput, tree
from adl.core.types import Array
from adl.rl.environment.game import Game

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # (down, right)


class Board(NamedTuple):
    """A board, the first row at its top."""

    stones: Array  # [H, W] int8: 1 of the side to move, -1 of the other, 0 none
    ended: Array  # [] boolean
    outcome: Array  # [] for the side to move


def winning_rows(shape: tuple[int, int], length: int) -> np.ndarray:
    """`[R, H, W]` boolean: the squares of each row of that length: across, down, or along a diagonal."""
    squares = np.indices(shape)
    found = []
    for down, right in DIRECTIONS:
        for start in np.ndindex(shape):
            cells = [(start[0] + k * down, start[1] + k * right) for k in range(length)]
            if all(0 <= row < shape[0] and 0 <= column < shape[1] for row, column in cells):
                found.append(sum((squares[0] == row) & (squares[1] == column) for row, column in cells) > 0)
    return np.array(found).reshape(-1, *shape)


def row_game(
    shape: tuple[int, int],
    length: int,
    *,
    place: Callable[[Array, Array], Array],
    legal: Callable,
    words: Sequence[str],
) -> Game:
    """A game that is won by `length` stones in a row, and drawn when the board is full.

    Args:
      shape: `(H, W)` of the board, 1 to 26 each.
      length: from 2 on.
      place: (stones `[H, W]`, action) -> `[H, W]` boolean, the one square that the action's stone goes to.
      legal: stones -> `[A]` boolean.
      words: `[A]` what actions are called.
    Raises:
      BadInput: if no row of that length fits.
    """
    if min(shape) < 1 or max(shape) > 26 or not 2 <= length <= max(shape):
        raise BadInput(f"a board of {shape[0]}x{shape[1]} and rows of {length}: sides are 1 to 26, and a row must fit")

    rows = winning_rows(shape, length).reshape(-1, shape[0] * shape[1]).T.astype(np.float32)  # [H W, R]

    def play(board, action):
        stones = jnp.where(place(board.stones, action), jnp.int8(1), board.stones)
        # A product: of shifts the program would be ten times as long.
        won = ((stones == 1).ravel().astype(jnp.float32) @ rows == length).any()
        after = Board(-stones, won | (stones != 0).all(), jnp.where(won, -1.0, 0.0))
        return tree.where(board.ended, board, after)

    def obs(board):
        return jnp.stack([board.stones == 1, board.stones == -1], -1).astype(jnp.float32)

    def text(board):
        # Who is to move is told by the number of stones: the first player has X.
        stones = np.asarray(board.stones) * (1 if np.count_nonzero(board.stones) % 2 == 0 else -1)
        rows = [" ".join("XO."[{1: 0, -1: 1, 0: 2}[int(stone)]] for stone in row) for row in stones]
        if len(words) == shape[1]:  # one word a column
            return "\n".join([*rows, " ".join(words)])
        letters = " ".join(chr(ord("a") + column) for column in range(shape[1]))
        return "\n".join([*(f"{row + 1:2} {line}" for row, line in enumerate(rows)), f"   {letters}"])

    return Game(
        init=lambda: Board(jnp.zeros(shape, jnp.int8), jnp.zeros((), bool), jnp.zeros(())),
        play=play,
        legal=lambda board: legal(board.stones) | board.ended,
        obs=obs,
        ended=lambda board: board.ended,
        outcome=lambda board: board.outcome,
        num_actions=len(words),
        longest=shape[0] * shape[1],
        text=text,
        words=lambda board: words,
    )
