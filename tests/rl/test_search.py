"""Searches that know nothing see what is one move away, and come to the solver's moves; matches and exams count."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment.connect_four import connect_four
from adl.rl.environment.game import uniform_player
from adl.rl.environment.games import named_game
from adl.rl.environment.rows import Board
from adl.rl.environment.tictactoe import tictactoe
from adl.rl.exam import Exam, every_position, examined, late_positions, search_exam
from adl.rl.match import match, match_result, openings, round_robin
from adl.rl.mcts import Searched, indifferent, instant_player, prior_first, rollout, searching_player, uct
from adl.rl.planning import gumbel_search, led_search
from adl.rl.solver import CONNECT_FOUR, TICTACTOE

KEY = jax.random.key(0)


def board(rows: list[str]) -> Board:
    stones = np.array([[{"X": 1, "O": -1, ".": 0}[c] for c in row] for row in rows], np.int8)
    return Board(jnp.asarray(stones), jnp.zeros((), bool), jnp.zeros(()))


WIN = board(["...", "XX.", "OO."])  # X wins at once in the middle row
BLOCK = board(["O..", ".O.", "X.."])  # X must take the corner
FALL = board(["....", "....", "O...", "O.X.", "OXX."])  # connect four on 5x4: X must block the first column


SEARCHES = {
    "uct": lambda game: uct(game, 200),
    "prior": lambda game: uct(game, 200, prior_first()),
    "gumbel": lambda game: gumbel_search(game, 128, noise=0.0),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_by_nothing_wins_and_blocks(name):
    if name == "gumbel":
        pytest.importorskip("mctx", reason="extra games")
    game = tictactoe()
    search = jax.jit(lambda state: SEARCHES[name](game)(KEY, indifferent(game), state))
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
    np.testing.assert_allclose(float(found.value), 1.0)


def test_every_position_of_tictactoe_is_known():
    exam = every_position(TICTACTOE, 9)
    assert len(exam.optimal) == 4520 and exam.optimal.any(1).all()
    assert not (exam.optimal & (exam.boards.stones.reshape(-1, 9) != 0)).any()


def test_rollouts_come_to_the_moves_of_the_solver():
    """Of 60 positions late in connect four: more simulations, more of the best moves; chance finds two in five."""
    game = connect_four()
    exam = late_positions(CONNECT_FOUR, 7, num_positions=60, stones=(22, 30), seed=1)

    def share(player):
        return float(jax.jit(lambda: examined(exam, lambda state: player)(KEY, ()))()["optimal"].value)

    chance, few, many = (
        share(uniform_player(game)),
        *(share(searching_player(uct(game, n), rollout(game))) for n in (8, 200)),
    )
    assert chance < 0.6 and few > chance + 0.1 and many >= 0.95 and many > few, (chance, few, many)


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
    """Of three orders in which squares are liked: as matches of each two of them say, on the same boards."""
    game = tictactoe()
    liking = jnp.stack([jnp.arange(9.0), -jnp.arange(9.0), jnp.array([3, 0, 3, 0, 9, 0, 3, 0, 3.0])])

    def player(logits):
        return instant_player(game, lambda key, state: (logits, jnp.zeros(())))

    boards = openings(KEY, game, 10, 1)
    points = jax.jit(lambda: round_robin(KEY, game, player, liking, boards))()
    np.testing.assert_allclose(points + points.T, 20 * (1 - np.eye(3)))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        outcomes = match(KEY, game, player(liking[i]), player(liking[j]), boards)
        assert float(points[i, j]) == float(((1 + outcomes) / 2).sum())


def test_an_exam_is_marked():
    """Of moves by chance as many are right as are by count; and of the solver's own moves all, without a fault."""
    game, exam = tictactoe(), every_position(TICTACTOE, 9)
    few = Exam(*jax.tree.map(lambda x: x[::10], (exam.boards, exam.optimal, exam.value)))
    found = examined(few, lambda state: uniform_player(game))(KEY, ())["optimal"]
    legal = np.asarray(jax.vmap(game.legal)(few.boards))
    assert abs(float(found.value) - (few.optimal.sum(1) / legal.sum(1)).mean()) < 0.06 and float(found.count) == 452


def best_of(exam: Exam, spoiled: tuple[int, ...] = ()):
    """A search that knows the answers, but for the first moves of these positions."""
    keys = exam.boards.stones.reshape(-1, 9) @ 3 ** np.arange(9)
    order = np.argsort(keys)
    action = exam.optimal.argmax(1)
    for index in spoiled:
        action[index] = np.flatnonzero((exam.boards.stones[index].ravel() == 0) & ~exam.optimal[index])[0]
    known, answers = jnp.asarray(keys[order]), jnp.asarray(action[order])

    def search(key, judge, board):
        action = answers[jnp.searchsorted(known, board.stones.ravel() @ 3 ** jnp.arange(9))]
        return Searched(action, jax.nn.one_hot(action, 9), jnp.zeros(()), jax.nn.one_hot(action, 9))

    return search


def test_faults_are_those_that_a_game_can_come_to():
    """A wrong answer counts where the player's own moves lead there, or an opening does; one that loses, as a loss."""
    exam = every_position(TICTACTOE, 9)
    plies = (exam.boards.stones != 0).sum((1, 2))

    def marks(*spoiled):
        result = jax.jit(lambda: search_exam(exam, best_of(exam, spoiled), lambda state: None, num_shown=3)(KEY, ()))()
        assert result["stones"].shape == (3, 3, 3)
        return tuple(float(result[name].value) for name in ("faults", "losses", "optimal"))

    assert marks() == (0, 0, 1)
    drawn = (exam.value == 0) & (plies == 2) & ~exam.optimal.all(1)
    faults, losses, optimal = marks(int(np.flatnonzero(drawn & (exam.optimal.sum(1) < 7))[0]))
    assert faults == losses == 1 and optimal < 1, "an opening of two moves, from which its first move loses"
    won = (exam.value == 1) & (plies == 2) & (exam.optimal.sum(1) < 7)
    faults, losses, _ = marks(int(np.flatnonzero(won)[0]))
    assert faults == 1 and losses <= 1


def test_what_is_not_installed_or_unknown_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "mctx", None)
    monkeypatch.setitem(sys.modules, "pgx", None)
    with pytest.raises(BadInput, match=r"pip install 'adl\[games\]'$"):
        led_search("gumbel", tictactoe(), 2, noise=0.0)
    with pytest.raises(BadInput, match=r"go_9x9 is one of pgx's games: pip install 'adl\[games\]'$"):
        named_game("go_9x9")
    with pytest.raises(BadInput, match="no search mcts: there are puct and gumbel"):
        led_search("mcts", tictactoe(), 2, noise=0.0)


def test_a_win_that_the_judge_thinks_impossible_is_found():
    """Its probability is less than float32 can say, and it is legal all the same."""
    game, sure = tictactoe(), jnp.zeros(9).at[5].set(-110.0)
    assert int(uct(game, 200)(KEY, lambda *_: (sure, jnp.zeros(())), WIN).action) == 5


def test_a_judge_that_says_nan_plays_by_the_rules():
    game = tictactoe()
    found = uct(game, 20, prior_first())(KEY, lambda *_: (jnp.full(9, jnp.nan), jnp.float32(jnp.nan)), WIN)
    assert bool(game.legal(WIN)[found.action])
