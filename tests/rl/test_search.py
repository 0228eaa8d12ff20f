"""Searches that know nothing see what is one move away, and come to the solver's moves; matches and exams count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.rl.environment.connect_four import connect_four
from adl.rl.environment.game import uniform_player
from adl.rl.environment.rows import Board
from adl.rl.environment.tictactoe import tictactoe
from adl.rl.exam import Exam, every_position, examined, late_positions
from adl.rl.match import match, match_result, openings, round_robin
from adl.rl.mcts import indifferent, instant_player, prior_first, rollout, searching_player, uct
from adl.rl.planning import gumbel_search, puct_search
from adl.rl.solver import CONNECT_FOUR, TICTACTOE

KEY = jax.random.key(0)


def board(rows: list[str]) -> Board:
    stones = np.array([[{"X": 1, "O": -1, ".": 0}[c] for c in row] for row in rows], np.int8)
    return Board(jnp.asarray(stones), jnp.zeros((), bool), jnp.zeros(()))


WIN = board(["...", "XX.", "OO."])  # X wins at once in the middle row
BLOCK = board(["O..", ".O.", "X.."])  # X must take the corner
FALL = board(["....", "....", "O...", "O.X.", "OXX."])  # connect four on 5x4: X must block the first column


def searches(game):
    mctx = pytest.importorskip("mctx") is not None
    return (
        {
            "uct": uct(game, 200),
            "prior": uct(game, 200, prior_first()),
            "gumbel": gumbel_search(game, 128, noise=0.0),
            "puct": puct_search(game, 128, fraction=0.0, temperature=0.0),
        }
        if mctx
        else {}
    )


@pytest.mark.parametrize("name", ["uct", "prior", "gumbel", "puct"])
def test_a_search_by_nothing_wins_and_blocks(name):
    game = tictactoe()
    search = jax.jit(lambda state: searches(game)[name](KEY, indifferent(game), state))
    won = search(WIN)
    assert int(won.action) == 5 and float(won.value) > 0.3
    assert int(search(BLOCK).action) == 8
    for found, state in ((won, WIN), (search(BLOCK), BLOCK)):
        np.testing.assert_allclose(float(found.weights.sum()), 1, rtol=1e-5)
        assert (np.asarray(found.weights)[~np.asarray(game.legal(state))] == 0).all()


def test_stones_that_fall_are_blocked():
    game = connect_four(5, 4)
    assert int(jax.jit(lambda: uct(game, 100)(KEY, indifferent(game), FALL))().action) == 0


def test_visits_are_those_of_ucb1_by_hand():
    """A game of one move: two actions, of which the second wins, and a rule that is written out in NumPy."""
    game = tictactoe()
    state = board(["XX.", "OO.", "XOX"])  # a1, b1 ...: free are 2 and 5; 2 wins at once, after 5 so does nobody
    found = jax.jit(lambda: uct(game, 40)(KEY, indifferent(game), state))()
    visits, totals = np.zeros(2), np.zeros(2)
    for i in range(40):
        # After 5 the other side has one move left, which draws: all that the search sees there is worth 0.
        scores = np.where(visits, totals / visits.clip(1) + np.sqrt(2 * np.log(max(i, 1)) / visits.clip(1)), 1e6)
        action = int(scores.argmax())
        visits[action] += 1
        totals[action] += action == 0
    np.testing.assert_array_equal(np.asarray(found.visits)[[2, 5]], visits)
    np.testing.assert_allclose(float(found.value), totals.sum() / 40, rtol=1e-6)


def test_every_position_of_tictactoe_is_known():
    exam = every_position(TICTACTOE, 9)
    assert len(exam.optimal) == 4520 and exam.optimal.any(1).all()
    assert not (exam.optimal & (exam.boards.stones.reshape(-1, 9) != 0)).any()


def test_rollouts_come_to_the_moves_of_the_solver():
    """Of 60 positions late in connect four: far above chance by 400 simulations, and better than by 25."""
    game = connect_four()
    exam = late_positions(CONNECT_FOUR, 7, num_positions=60, stones=(28, 36), seed=1)
    shares = [np.mean(exam.optimal / exam.optimal.sum(1, keepdims=True) * exam.optimal)]
    players = {f"{n}": lambda state, n=n: searching_player(uct(game, n), rollout(game)) for n in (25, 400)} | {
        "any": lambda state: uniform_player(game)
    }
    result = jax.jit(examined(exam, **players))(KEY, ())
    few, many, chance = (float(result[name].value) for name in ("25", "400", "any"))
    assert many >= 0.9 and many > few and few > chance + 0.1, (few, many, chance, shares)


def test_a_match_is_fair_and_counts():
    game = tictactoe()
    strong, weak = searching_player(uct(game, 60), rollout(game)), uniform_player(game)
    boards = openings(KEY, game, 30, 2)
    assert (np.count_nonzero(boards.stones, axis=(1, 2)) == 2).all()
    play = jax.jit(
        lambda one, other: match(KEY, game, (strong, weak)[one], (strong, weak)[other], boards), static_argnums=(0, 1)
    )
    ahead, behind = play(0, 1), play(1, 0)
    assert ahead.shape == (2, 30) and set(np.unique(ahead)) <= {-1, 0, 1}
    result = match_result(ahead)
    assert 0.8 < float(result["score"].value) < 1 and float(result["score"].count) == 60
    assert float(result["lower"].value) < float(result["score"].value)
    assert float(match_result(behind)["score"].value) < 0.2
    # The first to move on an empty board wins more at random: 58.5 % against 28.8 %.
    begun = jax.tree.map(lambda x: jnp.repeat(x[None], 2000, 0), game.init())
    first, second = jax.jit(lambda: match(KEY, game, weak, weak, begun))()
    for outcomes, sign in ((first, 1), (second, -1)):
        assert (
            abs(float((outcomes == sign).mean()) - 0.585) < 0.04
            and abs(float((outcomes == -sign).mean()) - 0.288) < 0.04
        )


def test_stages_meet_each_other():
    """Stages whose preference is for legal moves in order, of one wins against the others by its first moves."""
    game = tictactoe()
    liking = jnp.stack([jnp.arange(9.0), -jnp.arange(9.0), jnp.array([3, 0, 3, 0, 9, 0, 3, 0, 3.0])])

    def player(logits):
        return instant_player(game, lambda key, state: (logits, jnp.zeros(())))

    points = jax.jit(lambda: round_robin(KEY, game, player, liking, openings(KEY, game, 10, 1)))()
    np.testing.assert_allclose(points + points.T, 20 * (1 - np.eye(3)))
    assert points[2].sum() > points[0].sum()


def test_an_exam_is_marked():
    """Right are the answers of who knows them, and of the rest as many as by chance."""
    game, exam = tictactoe(), every_position(TICTACTOE, 9)
    few = Exam(*jax.tree.map(lambda x: x[::10], tuple(exam)))
    result = examined(few, chance=lambda state: uniform_player(game))(KEY, ())
    legal = np.asarray(jax.vmap(game.legal)(few.boards))
    want = (few.optimal.sum(1) / legal.sum(1)).mean()
    assert abs(float(result["chance"].value) - want) < 0.06 and float(result["chance"].count) == 452
