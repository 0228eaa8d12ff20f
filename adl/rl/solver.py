"""Exact play in games that are won by a row of stones, on the host: what a game is worth, and which moves keep it.

    value(s) = outcome, if the game is over;  else max over moves of -value(after the move)                  (minimax)

Alpha-beta leaves out what cannot change that maximum: once a move is known that is worth `beta`, whoever moved before
will not let it come to this. Positions are two integers, a bit for each square, so that a row is found by shifts;
what was found of a position, or of its mirror image, is kept in a table.

Sources: minimax: Shannon 1950, Philosophical Magazine 41; alpha-beta: Knuth & Moore 1975, Artificial Intelligence 6(4);
the layout of the bits: Tromp's "Fhourstones", and Allis 1988, "A knowledge-based approach of connect-four".
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from adl.core import BadInput


class Position(NamedTuple):
    """Stones of the side to move, and of the other: bit `column * (H + 1) + row`, from the bottom left."""

    mine: int
    theirs: int


class Rules(NamedTuple):
    """A board, and what wins on it."""

    height: int
    width: int
    length: int  # of a row that wins
    falls: bool  # whether stones fall to the lowest free square: an action is then a column

    def position(self, stones: np.ndarray) -> Position:
        """That of stones `[H, W]`, first row at the top: 1 of the side to move, -1 of the other, 0 none.

        Raises:
          BadInput: for another shape.
        """
        if np.shape(stones) != (self.height, self.width):
            raise BadInput(f"a board of {np.shape(stones)}, where {(self.height, self.width)} is wanted")
        bits = [0, 0]
        for row, column in zip(*np.nonzero(stones), strict=True):
            bits[int(stones[row, column] < 0)] |= self._bit(int(row), int(column))
        return Position(*bits)

    def stones(self, position: Position) -> np.ndarray:
        """`[H, W]` int8, as `position` takes them."""
        square = np.vectorize(lambda row, column, bits: bits & self._bit(row, column) != 0, otypes=[np.int8])
        where = np.indices((self.height, self.width))
        return square(*where, np.full(where[0].shape, position.mine, object)) - square(
            *where, np.full(where[0].shape, position.theirs, object)
        )

    def moves(self, position: Position) -> Iterator[tuple[int, Position]]:
        """(action, what the other side then faces) of each legal action, those in the middle first."""
        taken = position.mine | position.theirs
        for action in self._order():
            if self.falls:
                column = action * (self.height + 1)
                bit = (taken + (1 << column)) & (((1 << self.height) - 1) << column)
            else:
                bit = self._bit(*divmod(action, self.width)) & ~taken
            if bit:
                yield action, Position(position.theirs, position.mine | bit)

    def lost(self, position: Position) -> bool:
        """Whether the other side, who has just moved, has a row."""
        for shift in (1, self.height + 1, self.height, self.height + 2):
            row = position.theirs
            for _ in range(self.length - 1):
                row = position.theirs & (row >> shift)
            if row:
                return True
        return False

    def full(self, position: Position) -> bool:
        """Whether no square is free."""
        return (position.mine | position.theirs).bit_count() == self.height * self.width

    def mirrored(self, position: Position) -> Position:
        """With left and right exchanged."""
        tall, ones = self.height + 1, (1 << (self.height + 1)) - 1

        def turned(bits):
            return sum(((bits >> tall * c) & ones) << tall * (self.width - 1 - c) for c in range(self.width))

        return Position(turned(position.mine), turned(position.theirs))

    def _bit(self, row: int, column: int) -> int:
        return 1 << (column * (self.height + 1) + self.height - 1 - row)

    def _order(self) -> Sequence[int]:
        if not self.falls:
            return range(self.height * self.width)
        return sorted(range(self.width), key=lambda column: abs(2 * column - self.width + 1))


CONNECT_FOUR = Rules(6, 7, 4, falls=True)
TICTACTOE = Rules(3, 3, 3, falls=False)


def minimax(rules: Rules, position: Position) -> int:
    """Value of a position for the side to move, by looking at every game from there: 1 a win, 0 a draw, -1 a loss."""
    if rules.lost(position):
        return -1
    return max((-minimax(rules, after) for _, after in rules.moves(position)), default=0)


def alpha_beta(
    rules: Rules,
    position: Position,
    alpha: int = -1,
    beta: int = 1,
    table: dict[Position, tuple[int, int]] | None = None,
) -> int:
    """The same value, if it lies within `alpha` and `beta`; if not, a bound of it beyond the one or the other.

    Args:
      rules: of the game.
      position: any.
      alpha: what the side to move has for sure elsewhere; below `beta`.
      beta: what the other side will not exceed.
      table: lower and upper bound by position, which grows; calls share it. None: one of this call's own.
    """
    table = {} if table is None else table
    if rules.lost(position):
        return -1
    if rules.full(position):
        return 0
    afters = [after for _, after in rules.moves(position)]
    if any(map(rules.lost, afters)):
        return 1
    known = min(position, rules.mirrored(position))
    low, high = table.get(known, (-1, 1))
    alpha, beta = max(alpha, low), min(beta, high)
    if alpha >= beta:
        return low if low == high or low >= beta else high
    best, at_stake = -1, alpha
    for after in afters:
        best = max(best, -alpha_beta(rules, after, -beta, -at_stake, table))
        at_stake = max(at_stake, best)
        if at_stake >= beta:
            break
    # What was found is exact between the bounds, a lower bound beyond beta, an upper one at alpha.
    table[known] = (best if best > alpha else low, best if best < beta else high)
    return best


def optimal_moves(rules: Rules, position: Position, num_actions: int, table: dict | None = None) -> np.ndarray:
    """`[A]` boolean: the actions after which the game is worth what it was.

    Args:
      rules: of the game.
      position: of a game that is not over.
      num_actions: A.
      table: as in `alpha_beta`.
    """
    table = {} if table is None else table
    value, found = alpha_beta(rules, position, table=table), np.zeros(num_actions, bool)
    for action, after in rules.moves(position):
        # Is it worth at least `value`? The other side then has at most -value: a window of one is enough.
        found[action] = value == -1 or -alpha_beta(rules, after, -value, -value + 1, table) >= value
    return found
