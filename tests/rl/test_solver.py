"""Exact values against those that are published, and alpha-beta against looking at everything."""

import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.solver import CONNECT_FOUR, TICTACTOE, Position, Rules, alpha_beta, minimax, optimal_moves

EMPTY = Position(0, 0)
# Moves by columns, and the sign of the score, of Pons's benchmark "Test_L3_R1", which many solvers are tested by.
PUBLISHED = {
    "2252576253462244111563365343671351441": -1,
    "7422341735647741166133573473242566": 1,
    "23163416124767223154467471272416755633": 0,
}


def reached(rules: Rules, moves: str) -> Position:
    position = EMPTY
    for column in moves:
        position = dict(rules.moves(position))[int(column) - 1]
    return position


def at_random(rules: Rules, num_moves: int, luck) -> Position:
    position = EMPTY
    for _ in range(num_moves):
        afters = [after for _, after in rules.moves(position) if not rules.lost(position)]
        if not afters:
            break
        position = afters[luck.integers(len(afters))]
    return position


@pytest.mark.parametrize(("moves", "value"), PUBLISHED.items())
def test_connect_four_is_worth_what_is_published(moves, value):
    assert alpha_beta(CONNECT_FOUR, reached(CONNECT_FOUR, moves)) == value


def test_nobody_wins_on_small_boards():
    """Tic-tac-toe, and connect four on 4x4 and 4x5, are draws (Tromp's table of John's connect four playground)."""
    assert alpha_beta(TICTACTOE, EMPTY) == 0
    assert alpha_beta(Rules(4, 4, 4, True), EMPTY) == 0
    assert alpha_beta(Rules(4, 5, 4, True), EMPTY) == 0


@pytest.mark.parametrize("rules", [TICTACTOE, Rules(4, 4, 3, True), Rules(3, 4, 3, False)])
def test_alpha_beta_is_minimax(rules):
    luck, table = np.random.default_rng(0), {}
    for _ in range(30):
        position = at_random(rules, rules.height * rules.width - luck.integers(1, 8), luck)
        value = minimax(rules, position)
        assert alpha_beta(rules, position, table=table) == alpha_beta(rules, position) == value
        assert alpha_beta(rules, rules.mirrored(position)) == value
        if rules.lost(position) or rules.full(position):
            continue
        best = optimal_moves(rules, position, 12, table)
        want = {action for action, after in rules.moves(position) if -minimax(rules, after) == value}
        assert set(np.flatnonzero(best)) == want


def test_boards_and_positions_are_one():
    luck = np.random.default_rng(1)
    for rules in (CONNECT_FOUR, TICTACTOE):
        position = at_random(rules, 7, luck)
        stones = rules.stones(position)
        assert rules.position(stones) == position and abs(int(stones.sum())) <= 1
        np.testing.assert_array_equal(rules.stones(rules.mirrored(position)), stones[:, ::-1])
    with pytest.raises(BadInput, match="a board of"):
        TICTACTOE.position(np.zeros((4, 4)))


def test_a_win_that_is_there_is_seen():
    """Three stones side by side on the ground, and the fourth square free."""
    rules = Rules(4, 5, 4, falls=True)
    stones = np.zeros((4, 5), int)
    stones[3, :3], stones[2, :3] = 1, -1
    assert set(np.flatnonzero(optimal_moves(rules, rules.position(stones), 5))) == {3}
