"""Chess by published counts of its games, and by python-chess: moves, gains, attacks, and what players make of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.rl.environment.chess import material_gains, square_pairs, squares_view, whites_view
from adl.rl.environment.chess_moves import legal_moves
from adl.rl.environment.pgx_games import pgx_game
from adl.rl.lookahead import careful_player, greedy_player

pytest.importorskip("pgx", reason="extra games")
chess = pytest.importorskip("chess", reason="extra test")
KEY, LEGAL = jax.random.key(0), jax.jit(legal_moves)
WORTH = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}
# Positions and their numbers of games of one, two and three moves: https://www.chessprogramming.org/Perft_Results
PERFT = {
    "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1": (20, 400, 8902),
    "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1": (48, 2039, 97862),
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1": (14, 191, 2812),
    "r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1": (6, 264, 9467),
    "rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8": (44, 1486, 62379),
}


def state_of(board):
    """pgx's state of a position of python-chess with white to move."""
    men = {square: man.piece_type * (1 if man.color else -1) for square, man in board.piece_map().items()}
    squares = np.array([men.get(chess.square(file, rank), 0) for file in range(8) for rank in range(8)], np.int32)
    sides = (chess.WHITE, chess.BLACK)
    rights = [[board.has_queenside_castling_rights(s), board.has_kingside_castling_rights(s)] for s in sides]
    begun, rights = pgx_game("chess").init(), np.array(rights)
    legal = LEGAL(jnp.asarray(squares), jnp.asarray(rights), jnp.int32(-1))
    x = begun._x._replace(board=jnp.asarray(squares), castling_rights=jnp.asarray(rights), legal_action_mask=legal)
    return begun.replace(_x=x, legal_action_mask=legal)


def positions(num_moves, seed):
    """States of a game at random, with python-chess's board of each."""
    game, luck, board = pgx_game("chess"), np.random.default_rng(seed), chess.Board()
    move, state = jax.jit(game.play), jax.device_get(jax.jit(game.init)())
    for _ in range(num_moves):
        words = game.words(state)
        yield state, board.copy(), words
        legal = np.flatnonzero(game.legal(state))
        action = int(legal[luck.integers(len(legal))])
        state = jax.device_get(move(state, action))
        board.push_uci(words[action])
        if board.is_game_over(claim_draw=True):
            return


def balance(board, side):
    return sum(WORTH[man.piece_type] * (1 if man.color == side else -1) for man in board.piece_map().values())


def gains_of(board):
    """{move: what it wins at once}, by python-chess."""
    found = {}
    for move in board.legal_moves:
        after = board.copy()
        after.push(move)
        found[move.uci()] = balance(after, board.turn) - balance(board, board.turn)
    return found


def test_games_of_three_moves_are_as_many_as_published():
    play, size = jax.jit(jax.vmap(pgx_game("chess").play)), 4608
    states = [state_of(chess.Board(fen)) for fen in PERFT]
    states, of = jax.tree.map(lambda *x: np.stack(x), *states), np.arange(len(PERFT))
    for depth in range(3):
        legal = states.legal_action_mask & ~states.terminated[:, None]
        counts = [int(legal[of == i].sum()) for i in range(len(PERFT))]
        assert counts == [known[depth] for known in PERFT.values()]
        index, actions = np.nonzero(legal)
        if depth < 2:
            of, fill = of[index], size - len(index)
            index, actions = np.pad(index, (0, fill)), np.pad(actions, (0, fill), mode="edge")
            after = play(jax.tree.map(lambda x, index=index: x[index], states), actions)
            states = jax.tree.map(lambda x, of=of: np.asarray(x)[: len(of)], after)


def test_gains_are_those_that_python_chess_counts_and_the_greedy_takes_the_dearest():
    find, choose = jax.jit(material_gains), jax.jit(greedy_player(material_gains))
    for i, (state, board, words) in enumerate(positions(150, seed=1)):
        known, gains = gains_of(board), np.asarray(find(state))
        assert {words[action]: gains[action] for action in np.flatnonzero(gains > -np.inf)} == known, board.fen()
        assert known[words[int(choose(jax.random.fold_in(KEY, i), state))]] == max(known.values())


def test_the_careful_see_what_the_answer_takes():
    """Their moves are among the best by python-chess, that tries all moves and all answers."""
    choose = jax.jit(careful_player(pgx_game("chess"), material_gains))
    for i, (state, board, words) in enumerate(positions(50, seed=2)):
        if i % 10 == 9:
            values = {}
            for word, gain in gains_of(board).items():
                after = board.copy()
                after.push_uci(word)
                answer = max(gains_of(after).values(), default=-1000 if after.is_checkmate() else 0)
                values[word] = gain - answer
            assert values[words[int(choose(KEY, state))]] == max(values.values()), board.fen()


def test_attacked_and_guarded_squares_are_those_of_python_chess():
    view = jax.jit(lambda state: (squares_view(state), whites_view(state)))
    for state, board, _ in positions(60, seed=3):
        planes, white = view(state)
        for side, plane in ((not board.turn, 12), (board.turn, 13)):
            bare = board.copy()
            bare.remove_piece_at(board.king(not side))  # which hides nothing behind it
            for square in chess.SQUARES:
                rank, file = divmod(square, 8)
                rank = rank if board.turn else 7 - rank
                assert bool(planes[file, rank, plane]) == bare.is_attacked_by(side, square), (board.fen(), square)
        rows = [
            [{".": 0}.get(man, "PNBRQK".find(man.upper()) + 1) for man in row.split()] for row in str(board).split("\n")
        ]
        np.testing.assert_array_equal(np.abs(white), rows)
    assert len(square_pairs()) == 4672
