"""All legal moves of a chess position at once, by looking along lines: no move is tried out but captures in passing.

Of each square the eight lines to the board's edge are read, `[64, 8, 7]`. A piece goes along a line as far as it is
free; a square is attacked if a line from it meets the piece that could come down it. A piece that is pinned keeps to
the line between its king and what pins it; in check, others must take what gives it, or come between.

Squares, pieces and actions are as in `environment.chess`. What it finds equals python-chess' moves, and those of pgx,
which tries each move out and takes four times as long.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array

PAWN, KNIGHT, BISHOP, ROOK, QUEEN, KING, EDGE = 1, 2, 3, 4, 5, 6, 9  # what is beyond the edge blocks as one's own does
# Steps (files, ranks) of the lines, in pairs of opposite ones, and of knights, in the order of AlphaZero's planes.
LINES = ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (1, 1), (-1, 1), (1, -1))
LEAPS = ((-2, -1), (-2, 1), (-1, -2), (-1, 2), (2, -1), (2, 1), (1, -2), (1, 2))
UP, RIGHT_UP, LEFT_UP, LEFT, RIGHT = 1, 5, 6, 2, 3  # of the lines
IS_STRAIGHT = np.arange(8)[:, None] < 4
IS_NEXT = np.arange(7)[None] == 0


def _squares(steps: np.ndarray) -> np.ndarray:
    """`[64, ...]` where steps `[..., 2]` lead from each square; 64 beyond the edge."""
    there = np.stack(np.divmod(np.arange(64), 8), -1).reshape(64, *(1,) * (steps.ndim - 1), 2) + steps
    return np.where(((there >= 0) & (there < 8)).all(-1), 8 * there[..., 0] + there[..., 1], 64)


RAYS = _squares(np.array(LINES)[:, None] * np.arange(1, 8)[:, None])  # [64, 8, 7]
JUMPS = _squares(np.array(LEAPS))  # [64, 8]


def legal_moves(board: Array, castling: Array, en_passant: Array) -> Array:
    """`[4672]` boolean: which actions are legal.

    Args:
      board: `[64]` of the mover's view.
      castling: `[2, 2]` boolean: the mover's right to castle on the queen's and on the king's side, and the other's.
      en_passant: `[]` square that a pawn has just gone over, or -1.
    """
    chex.assert_shape([board, castling, en_passant], [(64,), (2, 2), ()])
    padded = jnp.append(board, EDGE)
    along, leaps, king = padded[RAYS], padded[JUMPS], jnp.argmax(board == KING)
    free, attacked = _free(along == 0), attacked_squares(board)
    allowed, pinned = _bound(king, along[king], free[king], leaps[king])
    within = jnp.append(allowed, False)

    moves = jax.vmap(_moves)(board, np.arange(64) % 8 == 1, along, free)
    loose = ~pinned.any(1)
    kept = loose[:, None] | jnp.repeat(pinned, 2, 1)  # [64, 8] whether a line may be followed
    moves &= kept[..., None] & within[RAYS]
    safe = (board == KING)[:, None] & (along[..., 0] <= 0) & ~jnp.append(attacked, True)[RAYS[..., 0]]
    moves = moves.at[..., 0].set(moves[..., 0] | safe)
    moves |= _in_passing(board, en_passant, king) | _castlings(board, castling[0], attacked)
    jumps = ((board == KNIGHT) & loose)[:, None] & (leaps <= 0) & within[JUMPS]
    return _as_planes(board, moves, jumps)


def attacked_squares(board: Array) -> Array:
    """`[64]` boolean: where the other side could take; the mover's king hides nothing that is behind it.

    Args:
      board: `[64]` of the mover's view.
    """
    padded = jnp.append(jnp.where(board == KING, 0, board), EDGE)
    along, leaps = padded[RAYS], padded[JUMPS]
    return jax.vmap(_is_attacked)(along, leaps)


def other_side(board: Array) -> Array:
    """The board `[64]`, or what is known of its squares, as the other side sees it; pieces keep their signs."""
    return jnp.flip(board.reshape(8, 8), 1).reshape(64)


def _free(empty: Array) -> Array:
    """`[..., 7]` whether all squares before each one of a line are empty."""
    before = jnp.cumsum(~empty, -1) - ~empty
    return before == 0


def _slides(kind: Array) -> Array:
    """`[8, 7]` whether a piece goes along a line as far as it likes; of kinds `[8, 7]`, or of one."""
    return jnp.where(IS_STRAIGHT, kind == ROOK, kind == BISHOP) | (kind == QUEEN)


def _threats(along: Array) -> Array:
    """`[8, 7]` whether the other side's piece on a line would come down it to where the line begins."""
    is_pawns = np.isin(np.arange(8), (RIGHT_UP, LEFT_UP))[:, None]
    return _slides(-along) | IS_NEXT & ((along == -KING) | is_pawns & (along == -PAWN))


def _is_attacked(along: Array, leaps: Array) -> Array:
    """`[]` whether the other side could come to where the lines `[8, 7]` and leaps `[8]` begin."""
    return (_free(along == 0) & _threats(along)).any() | (leaps == -KNIGHT).any()


def _moves(man: Array, is_second: Array, along: Array, free: Array) -> Array:
    """`[8, 7]` where a man would go from a square, a king, a knight and captures in passing aside."""
    lines, far = np.indices((8, 7))
    pushes, takes = (lines == UP) & (far == 0), np.isin(lines, (RIGHT_UP, LEFT_UP)) & (far == 0)
    doubles = (lines == UP) & (far == 1) & is_second
    pawns = (pushes | doubles) & free & (along == 0) | takes & (along < 0)
    return free & (along <= 0) & _slides(man) | (man == PAWN) & pawns


def _bound(king: Array, along: Array, free: Array, leaps: Array) -> tuple[Array, Array]:
    """Where others than the king may go `[64]`, and on which pair of lines each piece is pinned `[64, 4]`."""
    checks, jumped = free & _threats(along), leaps == -KNIGHT
    count = checks.sum() + jumped.sum()
    until = jnp.flip(jnp.cumsum(jnp.flip(checks, 1), 1), 1) > 0  # between, and what gives check
    at = jnp.asarray(RAYS)[king][..., None] == np.arange(64)[None, None]  # [8, 7, 64]
    between = (until[..., None] & at).any((0, 1))
    taking = (jumped[:, None] & (jnp.asarray(JUMPS)[king][:, None] == np.arange(64)[None])).any(0)
    before = jnp.cumsum(along != 0, 1) - (along != 0)
    pins = ((before == 1) & _slides(-along)).any(1)
    pinned = (before == 0) & (along > 0) & pins[:, None]
    lines = (pinned[..., None] & at).any(1).reshape(4, 2, 64).any(1)
    return (count == 0) | (count == 1) & (between | taking), lines.T


def _in_passing(board: Array, en_passant: Array, king: Array) -> Array:
    """`[64, 8, 7]` captures in passing, tried out: they empty two squares of a line at once."""
    padded = jnp.append(board, EDGE)
    there = jnp.maximum(en_passant, 1)

    def legal(start):
        after = padded.at[start].set(0).at[there - 1].set(0).at[there].set(PAWN)
        checked = _is_attacked(after[jnp.asarray(RAYS)[king]], after[jnp.asarray(JUMPS)[king]])
        return (en_passant >= 0) & (padded[start] == PAWN) & (padded[there - 1] == -PAWN) & ~checked

    starts = jnp.stack([jnp.where(there >= 8, there - 9, 64), jnp.minimum(there + 7, 64)])
    is_legal = jax.vmap(legal)(starts)
    lines, far = np.indices((8, 7))
    way = np.stack([(lines == RIGHT_UP) & (far == 0), (lines == LEFT_UP) & (far == 0)])
    begin = (starts[:, None] == np.arange(64)[None]) & is_legal[:, None]
    return (begin[:, :, None, None] & way[:, None]).any(0)


def _castlings(board: Array, rights: Array, attacked: Array) -> Array:
    """`[64, 8, 7]` castling, which is the king's move by two squares, on the queen's and on the king's side."""
    square, lines, far = np.indices((64, 8, 7))
    king = board[32] == KING
    long = (board[0] == ROOK) & (board[np.array([8, 16, 24])] == 0).all() & ~attacked[np.array([16, 24, 32])].any()
    short = (board[56] == ROOK) & (board[np.array([40, 48])] == 0).all() & ~attacked[np.array([32, 40, 48])].any()
    begins = (square == 32) & (far == 1)
    left = begins & (lines == LEFT) & (king & rights[0] & long)
    return left | begins & (lines == RIGHT) & (king & rights[1] & short)


def _as_planes(board: Array, moves: Array, jumps: Array) -> Array:
    """`[4672]`: of each square nine moves that promote to less than a queen, then lines, then knights' moves."""
    lines = moves.reshape(64, 4, 2, 7)
    lines = jnp.concatenate([jnp.flip(lines[:, :, 0], -1), lines[:, :, 1]], -1).reshape(64, 56)
    is_last = (board == PAWN) & (np.arange(64) % 8 == 6)
    less = is_last[:, None] & jnp.stack([moves[:, line, 0] for line in (UP, RIGHT_UP, LEFT_UP)], 1)
    return jnp.concatenate([less, less, less, lines, jumps], 1).reshape(-1)
