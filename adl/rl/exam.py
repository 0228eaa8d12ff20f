"""Exams: positions of a game whose best moves are known exactly, and how often a player finds one of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import Partial

from adl.core import Key, Mean, Probe, State
from adl.core.types import Array
from adl.rl.environment.game import Player
from adl.rl.environment.rows import Board
from adl.rl.mcts import Judge, Search
from adl.rl.solver import CONNECT_FOUR, TICTACTOE, Position, Rules, alpha_beta, optimal_moves


class Exam(NamedTuple):
    """N positions that are not over, with their answers; made on the host, once."""

    boards: Board  # [N, ...]
    optimal: np.ndarray  # [N, A] boolean: moves that keep what the position is worth
    value: np.ndarray  # [N] int8 for the side to move
    after: np.ndarray | None = None  # [N, A] int32 where a move leads, N if to none; of an exam of every position


def every_position(rules: Rules, num_actions: int) -> Exam:
    """All positions that a game can come to; of tic-tac-toe there are 4,520 that are not over.

    Args:
      rules: of a small game.
      num_actions: A.
    """
    known, new, table = {}, {Position(0, 0)}, {}
    while new:
        known |= {position: len(known) + i for i, position in enumerate(sorted(new))}
        afters = {after for position in new for _, after in rules.moves(position)}
        new = {after for after in afters if not rules.lost(after) and not rules.full(after)}
    after = np.full((len(known), num_actions), len(known), np.int32)
    for position, index in known.items():
        for action, following in rules.moves(position):
            after[index, action] = known.get(following, len(known))
    return _answered(rules, list(known), num_actions, table)._replace(after=after)


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
    return _answered(rules, list(found), num_actions, table)


def named_exam(name: str) -> Exam | None:
    """Of tic-tac-toe every position; of connect four 200 with 22 to 28 stones, 6 to 16 on 4x5; of other games none.

    Args:
      name: as in `environment.games.named_game`.
    """
    if name == "tictactoe":
        return every_position(TICTACTOE, 9)
    if name == "connect_four":
        return late_positions(CONNECT_FOUR, 7, num_positions=200, stones=(22, 28))
    if name == "connect_four_4x5":
        return late_positions(Rules(4, 5, 4, falls=True), 5, num_positions=200, stones=(6, 16))
    return None


def _answered(rules: Rules, positions: list[Position], num_actions: int, table: dict) -> Exam:
    count = len(positions)
    boards = Board(np.stack([*map(rules.stones, positions)]), np.zeros(count, bool), np.zeros(count, np.float32))
    best = np.stack([optimal_moves(rules, position, num_actions, table) for position in positions])
    value = np.array([alpha_beta(rules, position, table=table) for position in positions], np.int8)
    return Exam(boards, best, value)


def examined(exam: Exam, player: Callable[[Any], Player]) -> Probe:
    """Probe: "optimal", the share of positions in which a player makes one of the best moves.

    Args:
      exam: of the game.
      player: `player(state)`, of what is trained.
    """

    def probe(exam: Exam, key: Key, state: State) -> dict[str, Mean]:
        moves = jax.vmap(player(state))(jax.random.split(key, len(exam.optimal)), exam.boards)
        return {"optimal": Mean.of(_good(exam, moves))}

    return Partial(probe, exam)


def search_exam(
    exam: Exam, search: Search, judge: Callable[[Any], Judge], *, num_shown: int, num_opening: int = 2
) -> Probe:
    """Probe: how a search does in an exam, and what `show.visited_boards` draws of some of its positions.

    "optimal" is the share of positions in which it finds one of the best moves. In an exam of every position also
    "faults": positions that it can come to and in which its move gives something away; and "losses": those in which it
    loses what was no loss, if the other side plays perfectly. From every opening, on either side, it makes its own
    moves, and the other side all that there are, or all that are best. Without a loss it never loses to perfect play
    from an opening that is not lost.

    Args:
      exam: of the game.
      search: without luck.
      judge: that it asks, of what is trained: `judge(state)`.
      num_shown: >= 1, positions whose "stones", "visits", "optimal_moves" and "value" are shown.
      num_opening: moves of an opening, at most.
    """

    def probe(exam: Exam, key: Key, state: State) -> dict[str, Mean | Array]:
        count = len(exam.optimal)
        found = jax.vmap(search, (0, None, 0))(jax.random.split(key, count), judge(state), exam.boards)
        good = _good(exam, found.action)
        few = jnp.linspace(0, count - 1, num_shown).astype(int)
        arrays = {"stones": exam.boards.stones, "visits": found.visits, "value": found.value}
        seen = jax.tree.map(lambda x: jnp.asarray(x)[few], {**arrays, "optimal_moves": exam.optimal})
        if exam.after is not None:
            own = jax.nn.one_hot(found.action, exam.optimal.shape[1], dtype=bool)
            led = jnp.asarray(exam.after)[jnp.arange(count), found.action]
            worth = jnp.append(-jnp.asarray(exam.value), jnp.int8(0))[led]  # of what it leads to; an end is no loss
            lost = (worth < 0) & (exam.value >= 0)
            seen["faults"] = _number(_come_to(exam, own, None, num_opening) & ~good[None])
            seen["losses"] = _number(_come_to(exam, own, exam.optimal, num_opening) & lost[None])
        return {"optimal": Mean.of(good), **seen}

    return Partial(probe, exam)


def _number(there: Array) -> Mean:
    """How many there are, as a metric."""
    return Mean(there.sum().astype(jnp.float32), jnp.ones(()))


def _good(exam: Exam, moves: Array) -> Array:
    """`[N]` whether a move is one of the best."""
    return jnp.take_along_axis(jnp.asarray(exam.optimal), moves[:, None], 1)[:, 0]


def _come_to(exam: Exam, own: Array, others: Array | None, num_opening: int) -> Array:
    """`[2, N]` whether a player with these moves `[N, A]` is to move there, as the first or the second of the game.

    The other side has `others` `[N, A]`; None: all moves.
    """
    plies = (exam.boards.stones != 0).sum((1, 2))
    turn = jnp.arange(2)[:, None] == plies[None] % 2
    others = jnp.ones_like(own) if others is None else jnp.asarray(others)
    taken = jnp.where(turn[..., None], own[None], others[None])  # [2, N, A]

    def go_on(_, there):
        leads = there[..., None] & taken
        return jax.vmap(lambda leads, there: there.at[exam.after].max(leads, mode="drop"))(leads, there)

    openings = jnp.broadcast_to((plies <= num_opening)[None], turn.shape)
    return turn & lax.fori_loop(0, exam.boards.stones[0].size, go_on, openings)
