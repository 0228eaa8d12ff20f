"""Exams: positions of a game whose best moves are known exactly, and how often a player finds one of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl.core import Key, Mean, Probe, State
from adl.core.types import Array
from adl.rl.environment.game import Player
from adl.rl.environment.rows import Board
from adl.rl.solver import CONNECT_FOUR, TICTACTOE, Position, Rules, optimal_moves


class Exam(NamedTuple):
    """N positions that are not over, with their answers; made on the host, once."""

    boards: Board  # [N, ...]
    optimal: np.ndarray  # [N, A] boolean: moves that keep what the position is worth


def every_position(rules: Rules, num_actions: int) -> Exam:
    """All positions that a game can come to; of tic-tac-toe there are 4,520 that are not over.

    Args:
      rules: of a small game.
      num_actions: A.
    """
    known, new = {}, {Position(0, 0)}
    while new:
        known |= dict.fromkeys(sorted(new))
        afters = {after for position in new for _, after in rules.moves(position)}
        new = {after for after in afters if not rules.lost(after) and not rules.full(after)}
    return _answered(rules, list(known), num_actions)


def late_positions(
    rules: Rules, num_actions: int, *, num_positions: int, stones: tuple[int, int], seed: int = 0
) -> Exam:
    """Positions of games at random, so late that they are solved at once, in which some moves are better than others.

    Args:
      rules: of the game.
      num_actions: A.
      num_positions: N >= 1.
      stones: the fewest and the most on the board, both included.
      seed: of the luck.
    """
    luck, found, table = np.random.default_rng(seed), {}, {}
    while len(found) < num_positions:
        position = Position(0, 0)
        for _ in range(luck.integers(stones[0], stones[1] + 1)):
            afters = [] if rules.lost(position) else [after for _, after in rules.moves(position)]
            position = afters[luck.integers(len(afters))] if afters else None
            if position is None:
                break
        if position is None or rules.lost(position) or rules.full(position) or position in found:
            continue
        best = optimal_moves(rules, position, num_actions, table)
        if best.sum() < len([*rules.moves(position)]):
            found[position] = best
    return Exam(_boards(rules, list(found)), np.stack([*found.values()]))


def named_exam(name: str) -> Exam | None:
    """Of tic-tac-toe every position; of connect four 200 with 24 to 34 stones, 10 to 16 on 4x5; of other games none.

    Args:
      name: as in `environment.games.named_game`.
    """
    if name == "tictactoe":
        return every_position(TICTACTOE, 9)
    if name == "connect_four":
        return late_positions(CONNECT_FOUR, 7, num_positions=200, stones=(24, 34))
    if name == "connect_four_4x5":
        return late_positions(Rules(4, 5, 4, falls=True), 5, num_positions=200, stones=(6, 16))
    return None


def _answered(rules: Rules, positions: list[Position], num_actions: int) -> Exam:
    table: dict = {}
    best = np.stack([optimal_moves(rules, position, num_actions, table) for position in positions])
    return Exam(_boards(rules, positions), best)


def _boards(rules: Rules, positions: list[Position]) -> Board:
    count = len(positions)
    return Board(np.stack([*map(rules.stones, positions)]), np.zeros(count, bool), np.zeros(count, np.float32))


def visited(exam: Exam, search: Callable[[Any], Callable], count: int) -> Probe:
    """Probe: what `show.visited_boards` draws of the first positions of an exam.

    Args:
      exam: of the game.
      search: of what is trained: (key, state) -> `Searched`.
      count: >= 1, positions.
    """
    few = jax.tree.map(lambda x: x[:count], exam)

    def probe(exam: Exam, key: Key, state: State) -> dict[str, Array]:
        found = jax.vmap(search(state))(jax.random.split(key, len(exam.optimal)), exam.boards)
        seen = {"stones": exam.boards.stones, "optimal": exam.optimal}
        return {**seen, "visits": found.visits, "value": found.value}

    return Partial(probe, few)


def examined(exam: Exam, **players: Callable[[Any], Player]) -> Probe:
    """Probe: for each player, by its name, the share of positions in which it makes one of the best moves.

    Args:
      exam: of the game.
      **players: `player(state)`, of what is trained.
    """

    def probe(exam: Exam, key: Key, state: State) -> dict[str, Mean]:
        count = len(exam.optimal)

        def share(name):
            moves = jax.vmap(players[name](state))(jax.random.split(key, count), exam.boards)
            return Mean.of(exam.optimal[jnp.arange(count), moves])

        return {name: share(name) for name in players}

    return Partial(probe, exam)
