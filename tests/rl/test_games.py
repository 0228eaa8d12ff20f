"""Games against counts that are published, and against pgx step for step; and a game as a world of one agent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment.connect_four import connect_four
from adl.rl.environment.game import against_opponent, uniform_player
from adl.rl.environment.rows import row_game, winning_rows
from adl.rl.environment.tictactoe import tictactoe

KEY = jax.random.key(0)


def counted(game, num_moves, most):
    """Games of 1, 2, ... moves: how many positions are distinct, in how many ways they come about, and end so.

    At most so many positions go on at a time, so that one program follows all of them.
    """

    @jax.jit
    def followed(boards):
        legal = jax.vmap(game.legal)(boards) & ~jax.vmap(game.ended)(boards)[:, None]
        return legal, jax.vmap(jax.vmap(game.play, (None, 0)), (0, None))(boards, jnp.arange(game.num_actions))

    boards, ways, found = jax.tree.map(lambda x: np.asarray(x)[None], game.init()), np.ones(1, int), []
    for _ in range(num_moves):
        count = len(ways)
        assert count <= most
        padded = jax.tree.map(lambda x: np.pad(x, [(0, most - len(x))] + [(0, 0)] * (x.ndim - 1)), boards)
        legal, every = jax.device_get(followed(padded))
        legal = legal & (np.arange(most) < count)[:, None]
        after, ways = jax.tree.map(lambda x, legal=legal: x[legal], every), np.repeat(ways, legal[:count].sum(1))
        _, first, of = np.unique(after.stones.reshape(len(ways), -1), axis=0, return_index=True, return_inverse=True)
        boards, ways = jax.tree.map(lambda x, first=first: x[first], after), np.bincount(of.ravel(), ways).astype(int)
        found.append((len(first), int(ways.sum()), int(ways[boards.ended].sum())))
    return found


def test_tictactoe_has_the_games_that_are_known():
    """Moves: 9, 72, ...; finished games: 1,440 of five moves ... 127,872 of nine, in all 255,168."""
    found = counted(tictactoe(), 9, 2000)
    assert [ways for _, ways, _ in found] == [9, 72, 504, 3024, 15120, 54720, 148176, 200448, 127872]
    assert [ends for *_, ends in found] == [0, 0, 0, 0, 1440, 5328, 47952, 72576, 127872]
    assert sum(ends for *_, ends in found) == 255168
    assert 1 + sum(distinct for distinct, *_ in found) == 5478


def test_connect_four_has_the_positions_that_are_known():
    """OEIS A212693: positions after n moves; and 7^n games until a column can be full."""
    found = counted(connect_four(), 6, 5000)
    assert [distinct for distinct, *_ in found] == [7, 49, 238, 1120, 4263, 16422]
    assert [ways for _, ways, _ in found] == [7**n for n in range(1, 7)]


def test_four_by_four_has_the_positions_that_are_known():
    """161,029 on 4x4, by Tromp's table of board sizes."""
    found = counted(connect_four(4, 4), 16, 40000)
    assert 1 + sum(distinct for distinct, *_ in found) == 161029


def test_rows_are_those_that_are_known():
    """69 on the board of connect four, 8 in tic-tac-toe; each is straight, and none is there twice."""
    for shape, length, count in (((6, 7), 4, 69), ((3, 3), 3, 8), ((1, 4), 2, 3)):
        rows = winning_rows(shape, length)
        assert len(rows) == len({row.tobytes() for row in rows}) == count
        assert (rows.sum((1, 2)) == length).all()
    for row in winning_rows((6, 7), 4):
        steps = np.abs(np.diff(np.argwhere(row), axis=0))
        assert (steps == steps[0]).all() and steps.max() == 1


def test_a_board_that_no_row_fits_is_refused():
    with pytest.raises(BadInput, match="a board of 3x3 and rows of 4"):
        connect_four(3, 3)
    with pytest.raises(BadInput, match="a board of 2x2 and rows of 3"):
        row_game((2, 2), 3, place=None, legal=None, words=[])


def test_what_is_over_stays_as_it_is():
    game = tictactoe()
    board = game.init()
    for action in (0, 3, 1, 4, 2):
        assert not bool(board.ended)
        board = game.play(board, action)
    assert bool(board.ended) and float(game.outcome(board)) == -1, "the side to move has lost"
    after = game.play(board, 8)
    jax.tree.map(np.testing.assert_array_equal, after, board)
    assert bool(game.legal(board).all()) and game.text(board) == " 1 X X X\n 2 O O .\n 3 . . .\n   a b c"


def test_against_is_the_game_with_its_answers():
    """Rewards are those of the agent, whoever began; each game ends once; an illegal move loses at once."""
    game = tictactoe()
    env = against_opponent(game, uniform_player(game))

    def episode(key):
        def move(carry, key):
            state, over = carry
            act_key, step_key = jax.random.split(key)
            after = env.step(step_key, state, uniform_player(game)(act_key, state))
            return (after.state, over | after.ended), (jnp.where(over, 0, after.reward), after.ended & ~over)

        reset_key, key = jax.random.split(key)
        state, obs = env.reset(reset_key)
        (_last, _), (reward, ended) = jax.lax.scan(move, (state, jnp.zeros((), bool)), jax.random.split(key, 5))
        return reward.sum(), ended.sum(), obs.sum()

    total, ends, begun = jax.jit(jax.vmap(episode))(jax.random.split(KEY, 4000))
    assert (ends == 1).all() and set(np.unique(begun)) == {0, 1}
    # Of games at random the first wins 58.5 %, the second 28.8 %: who is either wins as often as it loses.
    assert abs(float(total.mean())) < 0.05 and abs(float((total == 0).mean()) - 0.127) < 0.02
    state, _ = env.reset(KEY)
    taken = int(jnp.argmin(env.legal(env.step(KEY, state, jnp.argmax(env.legal(state))).state)))
    after = env.step(KEY, env.step(KEY, state, jnp.argmax(env.legal(state))).state, taken)
    assert bool(after.terminated) and float(after.reward) == -1
