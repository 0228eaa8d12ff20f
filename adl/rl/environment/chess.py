"""Chess, as pgx has it: its board and its moves in words, material, and what each move wins of it.

A position is the mover's: pieces are 1 to 6 (pawn, knight, bishop, rook, queen, king), the other side's negative, on
squares `8 * file + rank` with the mover at the bottom. An action is `73 * start + plane`, as of AlphaZero: Silver et
al. 2018, Science 362, "Methods", table S2.

    env = against_opponent(pgx_game("chess"), greedy_player(material_gains), worth=material)
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, PyTree
from adl.rl.environment.chess_moves import attacked_squares, other_side

WORTH = (0, 1, 3, 3, 5, 9, 0)  # of no piece, pawn, knight, bishop, rook, queen and king, in pawns


def material(state: PyTree) -> Array:
    """`[]` what the mover's pieces are worth more than the other side's, in pawns.

    Source: the values are those of Shannon 1950, Philosophical Magazine 41, there 9, 5, 3, 3 and 1.
    """
    board = state._x.board
    return (jnp.asarray(WORTH, jnp.float32)[jnp.abs(board)] * jnp.sign(board)).sum()


def material_gains(state: PyTree) -> Array:
    """`[4672]` the `material` that each legal action wins at once, in pawns; of others -inf."""
    board, (starts, ends, became) = state._x.board, _tables()
    taken = jnp.asarray(WORTH, jnp.float32)[jnp.maximum(-board, 0)][ends]
    is_pawn = board[starts] == 1
    taken += is_pawn & (ends == state._x.en_passant)
    promoted = is_pawn & (ends % 8 == 7)
    return jnp.where(
        state.legal_action_mask, taken + promoted * (jnp.asarray(WORTH, jnp.float32)[became] - 1), -jnp.inf
    )


def squares_view(state: PyTree) -> Array:
    """`[8, 8, 14]` float32, files by ranks: six pieces of the mover, six of the other, what is attacked, what guarded.

    A square is attacked where the other side could take, and guarded where the mover could take back.
    """
    board = state._x.board
    kinds = np.concatenate([np.arange(1, 7), -np.arange(1, 7)])
    guarded = other_side(attacked_squares(-other_side(board)))
    planes = [board[:, None] == kinds[None], attacked_squares(board)[:, None], guarded[:, None]]
    return jnp.concatenate(planes, 1).astype(jnp.float32).reshape(8, 8, 14)


def whites_view(state: PyTree) -> Array:
    """`[8, 8]` int32, ranks from the top by files: white's pieces 1 to 6, black's negative."""
    board = jnp.where(state._x.color == 0, state._x.board, -other_side(state._x.board))
    return jnp.flip(board.reshape(8, 8).T, 0)


def square_pairs() -> tuple[tuple[int, int, int], ...]:
    """Of each of the 4672 actions: from where, to where, and what a pawn becomes: 0 a queen, 1 to 3 less."""
    starts, ends, became = _tables()
    kinds = np.where(became == 5, 0, became - 1)
    return tuple(zip(starts.tolist(), ends.tolist(), kinds.tolist(), strict=True))


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[4672]` starts, ends, and what a pawn becomes on the last rank; ends off the board are 0, and never legal."""
    starts, planes = np.divmod(np.arange(64 * 73), 73)
    moves = [_end(start, plane) for start, plane in zip(starts.tolist(), planes.tolist(), strict=True)]
    ends = np.array([end if 0 <= end < 64 else 0 for end, _ in moves])
    return starts, ends, np.array([{"": 5, "r": 4, "b": 3, "n": 2}[promoted] for _, promoted in moves])


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
