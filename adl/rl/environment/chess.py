"""Chess, as pgx has it: its board and its moves in words, material, and who takes whatever is dearest.

A position is the mover's: pieces are 1 to 6 (pawn, knight, bishop, rook, queen, king), the other side's negative, on
squares `8 * file + rank` with the mover at the bottom. An action is `73 * start + plane`, as of AlphaZero: Silver et
al. 2018, Science 362, "Methods", table S2.

    env = against_opponent(pgx_game("chess"), greedy_player(pgx_game("chess")), worth=material)
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, PyTree
from adl.rl.environment.game import Game, Player

WORTH = (0, 1, 3, 3, 5, 9, 0)  # of no piece, pawn, knight, bishop, rook, queen and king, in pawns


def material(state: PyTree) -> Array:
    """`[]` what the mover's pieces are worth more than the other side's, in pawns.

    Source: the values are those of Shannon 1950, Philosophical Magazine 41, there 9, 5, 3, 3 and 1.
    """
    board = state._x.board
    return (jnp.asarray(WORTH, jnp.float32)[jnp.abs(board)] * jnp.sign(board)).sum()


def greedy_player(game: Game) -> Player:
    """Who takes the dearest piece that can be taken, or makes a queen; if there is none, any legal move.

    What is taken in passing counts as nothing.

    Args:
      game: chess.
    """
    ends = np.array([_end(*divmod(action, 73))[0] for action in range(game.num_actions)])
    ends = np.where((ends >= 0) & (ends < 64), ends, 0)  # of moves off the board, which are never legal
    starts = np.arange(game.num_actions) // 73

    def choose(key, state):
        board = state._x.board
        taken = jnp.asarray(WORTH, jnp.float32)[jnp.maximum(-board, 0)][ends]
        queens = (board[starts] == 1) & (ends % 8 == 7) & (np.arange(game.num_actions) % 73 >= 9)
        gain = jnp.where(game.legal(state), taken + 8.0 * queens, -jnp.inf)
        return jax.random.categorical(key, jnp.where(gain == gain.max(), 0.0, -jnp.inf))

    return choose


def board_text(state: Any) -> str:
    """White at the bottom in capitals; the last row names the files."""
    board, is_white = np.asarray(state._x.board).reshape(8, 8), int(state._x.color) == 0  # [file, rank]
    board = board if is_white else -board[:, ::-1]
    names = ".PNBRQKkqrbnp"
    rows = [f"{rank + 1} " + " ".join(names[board[file, rank]] for file in range(8)) for rank in reversed(range(8))]
    return "\n".join([*rows, "  a b c d e f g h"])


def uci_moves(state: Any) -> list[str]:
    """`[4672]` moves as UCI writes them: e2e4, e7e8q; what is no move at all is empty."""
    is_white = int(state._x.color) == 0
    legal, board = np.asarray(state.legal_action_mask), np.asarray(state._x.board)
    words = [""] * len(legal)
    for action in np.flatnonzero(legal):
        start, plane = divmod(int(action), 73)
        end, promoted = _end(start, plane)
        last_rank = end % 8 == 7 and bool(board[start] == 1)
        words[action] = _square_name(start, is_white) + _square_name(end, is_white) + (promoted or "q" * last_rank)
    return words


def _end(start: int, plane: int) -> tuple[int, str]:
    """Where a move ends, on the board or not, and what a pawn becomes if it is no queen."""
    if plane < 9:
        return start + (1, 9, -7)[plane % 3], "rbn"[plane // 3]
    far, near = [*range(-7, 0)], [*range(1, 8)]
    ranks = far + near + [0] * 14 + far + near + near[::-1] + far[::-1] + [-1, 1, -2, 2, -1, 1, -2, 2]
    files = [0] * 14 + far + near + far + near + far + near + [-2, -2, -1, -1, 2, 2, 1, 1]
    return start + 8 * files[plane - 9] + ranks[plane - 9], ""


def _square_name(square: int, is_white: bool) -> str:
    file, rank = divmod(square, 8)
    return "abcdefgh"[file] + str(rank + 1 if is_white else 8 - rank)
