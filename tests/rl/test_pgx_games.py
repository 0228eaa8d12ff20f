"""pgx's games as ours: connect four step for step, Go's rules, and chess against python-chess, repetitions included."""

import jax
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment.chess import material, material_gains
from adl.rl.environment.connect_four import connect_four
from adl.rl.environment.game import against_opponent, uniform_player
from adl.rl.environment.games import named_game
from adl.rl.environment.pgx_games import pgx_game
from adl.rl.environment.tictactoe import tictactoe
from adl.rl.lookahead import greedy_player

pytest.importorskip("pgx", reason="extra games")
KEY = jax.random.key(0)


def told(game, state):
    return {name: getattr(game, name)(state) for name in ("legal", "obs", "ended", "outcome")}


@pytest.mark.parametrize(("ours", "theirs"), [(connect_four(), "connect_four"), (tictactoe(), "tic_tac_toe")])
def test_our_games_are_theirs_step_for_step(ours, theirs):
    """300 games at random: board, legal moves, end and outcome after every move."""
    theirs = pgx_game(theirs)

    def game(key):
        def move(pair, key):
            action = uniform_player(ours)(key, pair[0])
            pair = ours.play(pair[0], action), theirs.play(pair[1], action)
            return pair, (told(ours, pair[0]), told(theirs, pair[1]))

        return jax.lax.scan(move, (ours.init(), theirs.init()), jax.random.split(key, ours.longest))[1]

    mine, yours = jax.jit(jax.vmap(game))(jax.random.split(KEY, 300))
    jax.tree.map(np.testing.assert_array_equal, mine, yours)
    assert mine["ended"][:, -1].all() and set(np.unique(mine["outcome"])) == {-1, 0}


def test_a_new_game_is_not_over():
    """What pgx's own `auto_reset` says of a game that it begins anew."""
    for name in ("go_9x9", "chess"):
        game = pgx_game(name)
        state = game.init()
        assert not bool(game.ended(state)) and float(game.outcome(state)) == 0
        assert game.legal(state).shape == (game.num_actions,) and game.obs(state).ndim == 3


def test_go_captures_and_ends_by_passing():
    game = pgx_game("go_9x9")
    state, play = game.init(), jax.jit(game.play)
    words = list(game.words(state))
    for word in ("A8", "A9", "B9"):
        state = play(state, words.index(word))
    assert game.text(state).splitlines()[0] == " 9 . X . . . . . . .", "the corner's stone is taken"
    assert not bool(game.legal(state)[words.index("A9")]), "suicide"
    for _ in range(2):
        state = play(state, words.index("pass"))
    assert bool(game.ended(state)) and float(game.outcome(state)) == -1, "white is to move, and black has the board"


def test_an_unknown_game_is_told():
    with pytest.raises(BadInput, match="no game ches: .*; did you mean chess?"):
        named_game("ches")


@pytest.fixture(scope="module")
def chess_game():
    game = pgx_game("chess")
    return game, jax.jit(game.play), jax.device_get(jax.jit(game.init)())


def test_chess_is_that_of_python_chess(chess_game):
    """Two games at random: the same legal moves, under the same names, and the same end."""
    chess = pytest.importorskip("chess")
    game, play, begun = chess_game
    luck = np.random.default_rng(3)
    for _ in range(2):
        state, board = begun, chess.Board()
        for _ in range(120):
            over = board.is_checkmate() or board.is_stalemate() or board.is_insufficient_material()
            assert bool(game.ended(state)) == (over or board.is_repetition(3) or board.is_fifty_moves())
            if bool(game.ended(state)):
                assert float(game.outcome(state)) == -float(board.is_checkmate())
                break
            words = game.words(state)
            legal = {words[action] for action in np.flatnonzero(game.legal(state))}
            assert legal == {move.uci() for move in board.legal_moves}, board.fen()
            assert game.text(state).replace("\n", "")[2:17] == str(board).splitlines()[0]
            word = sorted(legal)[luck.integers(len(legal))]
            state = jax.device_get(play(state, words.index(word)))
            board.push_uci(word)


def test_the_first_position_counts_as_the_first_of_three(chess_game):
    """Knights go out and home: the third time that the beginning is there the game is a draw, and not later."""
    chess = pytest.importorskip("chess")
    game, play, state = chess_game
    board = chess.Board()
    for word in ("g1f3", "g8f6", "f3g1", "f6g8") * 2:
        assert not bool(game.ended(state)) and not board.is_repetition(3)
        state = play(state, game.words(state).index(word))
        board.push_uci(word)
    assert bool(game.ended(state)) and board.is_repetition(3) and float(game.outcome(state)) == 0


def test_material_is_what_python_chess_counts_and_the_greedy_takes_it(chess_game):
    """After 1. e4 d5 the pawn is taken; then the queen takes back; and nothing else is worth as much."""
    chess = pytest.importorskip("chess")
    game, play, state = chess_game
    choose, board = jax.jit(greedy_player(material_gains)), chess.Board()
    for word in ("e2e4", "d7d5", None, None):
        if word is None:
            word = game.words(state)[int(choose(KEY, state))]
            assert board.piece_at(chess.parse_square(word[2:])) is not None, "it takes"
        state = play(state, game.words(state).index(word))
        board.push_uci(word)
        worth = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}
        balance = sum(worth[p.piece_type] * (1 if p.color == board.turn else -1) for p in board.piece_map().values())
        assert float(material(state)) == balance
    assert board.move_stack[2].uci() == "e4d5" and board.move_stack[3].uci() == "d8d5"
    env = against_opponent(game, greedy_player(material_gains), worth=material)
    after = jax.jit(env.step)(KEY, state, int(np.argmax(game.legal(state))))
    assert float(after.reward) <= 0 and not bool(after.terminated), "nothing was to be taken"
