"""Grid worlds, drawn as text: a letter a cell, a state a letter, counted along the rows.

    GridMap(("S..#", ".H.G"), {"#": WALL, "H": Spot(0, "end"), "G": Spot(1, "end")})

An action moves by one cell; where there is a wall, or nothing, it does not. Slippery ground sends the agent to either
side of where it wanted to go. What a cell is says what happens to who enters it. Cliff walking and the frozen lakes
are Gymnasium's, transition by transition.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.rl.environment.world import Environment
from adl.rl.environment.wrappers import time_limit
from adl.rl.mdp import Outcomes, tabled

MOVES = {"U": (-1, 0), "R": (0, 1), "D": (1, 0), "L": (0, -1)}  # rows and columns, by direction


class Spot(NamedTuple):
    """What happens to who enters a cell."""

    reward: float
    then: Literal["stay", "end", "back", "wall"] = "stay"  # back: to the start; wall: it cannot be entered


WALL = Spot(0, "wall")


class GridMap(NamedTuple):
    """A grid world."""

    rows: Sequence[str]  # of equal lengths; S is where episodes begin, one of them at random if there are several
    cells: Mapping[str, Spot]  # by letter, but for those of the ground
    directions: str = "URDL"  # of the actions 0, 1, ...: up, right, down, left; neighbours are a quarter turn apart
    step: float = 0.0  # reward for entering ground
    slip: float = 0.0  # in [0, 1], probability of going to one or the other side of where one wanted to
    limit: int = 200  # steps

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.rows[0])

    @property
    def letters(self) -> np.ndarray:
        """`[S]` of the cells."""
        return np.array([*"".join(self.rows)])


LAKE = {"H": Spot(0, "end"), "G": Spot(1, "end")}
MAPS: Mapping[str, GridMap] = {
    # Sutton & Barto 2018, example 6.6; Gymnasium's CliffWalking-v1.
    "cliff": GridMap(
        ("." * 12, "." * 12, "." * 12, "S" + "C" * 10 + "G"), {"C": Spot(-100, "back"), "G": Spot(-1, "end")}, step=-1
    ),
    # Gymnasium's FrozenLake-v1 and FrozenLake8x8-v1.
    "lake": GridMap(("SFFF", "FHFH", "FFFH", "HFFG"), LAKE, "LDRU", slip=2 / 3, limit=100),
    "large_lake": GridMap(
        ("SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG"),
        LAKE,
        "LDRU",
        slip=2 / 3,
    ),
    # Sutton & Barto 2018, example 8.1: the maze that Dyna was tried on.
    "maze": GridMap(
        (".......#G", "..#....#.", "S.#....#.", "..#......", ".....#...", "........."),
        {"#": WALL, "G": Spot(1, "end")},
        limit=1000,
    ),
}


def grid_named(name: str) -> GridMap:
    """The map of that name.

    Raises:
      BadInput: for one that there is not.
    """
    if name not in MAPS:
        raise BadInput(f"no grid world {name!r}: there are {', '.join(MAPS)}{did_you_mean(name, tuple(MAPS))}")
    return MAPS[name]


def walk_map(num_cells: int) -> GridMap:
    """A row of cells, in the middle of which a walk begins; it ends left, for -1, or right, for 1.

    Args:
      num_cells: of which a walk does not end, >= 1 and odd; between them are as many states and two.

    Raises:
      BadInput: for an even number, which has no middle.

    Source: Sutton & Barto 2018, example 7.1, with 19 cells.
    """
    if num_cells % 2 == 0:
        raise BadInput(f"a walk begins in the middle of an odd number of cells, and {num_cells} is even")
    half = "." * (num_cells // 2)
    return GridMap((f"A{half}S{half}B",), {"A": Spot(-1, "end"), "B": Spot(1, "end")}, "LR", limit=10**6)


def grid_world(grid: GridMap) -> Environment:
    """The world of a map; observations are the number of the cell, `[]` int32.

    Args:
      grid: the map.
    """
    return time_limit(tabled(grid_outcomes(grid)), grid.limit)


def grid_outcomes(grid: GridMap) -> Outcomes:
    """What may follow: of each action what it wanted, and of slippery ground both sides.

    From where episodes end, or what cannot be entered, every action ends an episode on the spot, for nothing.

    Args:
      grid: the map.

    Raises:
      BadInput: for rows of unequal lengths, or a map without a start.
    """
    if len({len(row) for row in grid.rows}) != 1 or not any("S" in row for row in grid.rows):
        raise BadInput(f"a map has rows of one length, and an S where episodes begin; this is {list(grid.rows)}")
    letters, num_actions = grid.letters, len(grid.directions)
    starts = np.flatnonzero(letters == "S")
    if len(starts) > 1 and any(spot.then == "back" for spot in grid.cells.values()):
        raise BadInput("a map whose cells lead back has one S, to which they do")
    turns, prob = ((-1, 0, 1), (grid.slip / 2, 1 - grid.slip, grid.slip / 2)) if grid.slip else ((0,), (1.0,))
    shape = len(letters), num_actions, len(turns)
    following, reward, ends = np.zeros(shape, int), np.zeros(shape), np.ones(shape, bool)
    for s, a, k in np.ndindex(shape):
        following[s, a, k] = s
        if _cell(grid, letters[s]).then in ("stay", "back"):
            following[s, a, k], reward[s, a, k], ends[s, a, k] = _entered(grid, s, (a + turns[k]) % num_actions)
            if _cell(grid, letters[following[s, a, k]]).then == "back":
                following[s, a, k] = starts[0]
    start = np.isin(np.arange(len(letters)), starts) / len(starts)
    return Outcomes(np.broadcast_to(prob, shape), following, reward, ends, start)


def _cell(grid: GridMap, letter: str) -> Spot:
    return grid.cells.get(letter, Spot(grid.step))


def _entered(grid: GridMap, state: int, direction: int) -> tuple[int, float, bool]:
    """The cell that a move leads to, its reward, and whether it ends the episode."""
    rows, cols = grid.shape
    down, right = MOVES[grid.directions[direction]]
    row = min(max(state // cols + down, 0), rows - 1)
    col = min(max(state % cols + right, 0), cols - 1)
    if _cell(grid, grid.rows[row][col]).then == "wall":
        row, col = divmod(state, cols)
    cell = _cell(grid, grid.rows[row][col])
    return row * cols + col, cell.reward, cell.then == "end"
