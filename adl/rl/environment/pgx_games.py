"""Games of pgx as ours: Go, chess, Othello, Hex and others, in the graph.

    pip install 'adl[games]'

Chess finds its legal moves by `chess_moves`, in a quarter of the time. Two things of pgx 2.6 are put right. Chess
counts the beginning one repetition short, as the hash that pgx keeps of it is not what its tables give; and what
`auto_reset` returns still says that it is over, so that a search from there sees nothing: here a new game is begun by
`init` alone.

Source: Koyamada et al. 2023, "Pgx: Hardware-accelerated parallel game simulators" (NeurIPS), arXiv:2303.17503.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import BadInput, did_you_mean, of_extra, tree
from adl.core.types import Array, PyTree
from adl.rl.environment.chess import board_text, uci_moves
from adl.rl.environment.chess_moves import legal_moves
from adl.rl.environment.game import Game

LONGEST = {  # moves of the longest game
    **{"chess": 512, "connect_four": 42, "go_9x9": 162, "go_19x19": 722, "hex": 122, "othello": 128, "tic_tac_toe": 9}
}


def pgx_game(name: str) -> Game:
    """One of pgx's games of two players, by its name.

    Args:
      name: one of `LONGEST`.
    Raises:
      BadInput: for another, and without pgx.
    """
    if name not in LONGEST:
        raise BadInput(f"no game {name}: there are {', '.join(LONGEST)}{did_you_mean(name, [*LONGEST])}")
    env = of_extra("pgx", "games", f"{name} is one of pgx's games").make(name)
    if name == "chess":
        env.game.step = _chess_move

    def promoting(fn):
        """Within pgx arrays of lower rank meet those of higher, which a session may forbid."""

        def called(*arguments):
            with jax.numpy_rank_promotion("allow"):
                return fn(*arguments)

        return called

    def light(state):
        """Without the observation, which a search would keep of each state; it is made when it is asked for."""
        return state.replace(observation=jnp.zeros(0))

    def init():
        state = env.init(jax.random.key(0))
        if name == "chess":
            state = _hashed(state)
        return light(state)

    def play(state, action):
        after = env.step(state, action)
        # Its rewards are those of one step; ours stay.
        return tree.where(ended(state), state, light(after))

    def ended(state):
        return state.terminated | state.truncated

    text, words = _told(name)
    return Game(
        init=promoting(init),
        play=promoting(play),
        legal=lambda state: state.legal_action_mask | ended(state),
        obs=promoting(lambda state: _square(env.observe(state).astype(jnp.float32))),
        ended=ended,
        outcome=lambda state: state.rewards[state.current_player],
        num_actions=promoting(lambda: env.num_actions)(),
        longest=LONGEST[name],
        text=text,
        words=words,
    )


def _square(obs: Array) -> Array:
    return obs if obs.ndim == 3 else obs.reshape(obs.shape[0], -1, 1)


def _hashed(state: Any) -> Any:
    """Chess with the hash of its first position, as the tables give it."""
    from pgx._src.games.chess import _zobrist_hash

    first = state._x.hash_history.at[0].set(_zobrist_hash(state._x))
    return state.replace(_x=state._x._replace(hash_history=first))


def _chess_move(state: Any, action: Array) -> Any:
    """What pgx's `Game.step` does, with the legal moves found at once."""
    from pgx._src.games import chess

    state = chess._flip(chess._apply_move(state, chess.Action._from_label(action)))
    legal = legal_moves(state.board, state.castling_rights, state.en_passant)
    return chess._update_history(state)._replace(legal_action_mask=legal, step_count=state.step_count + 1)


def _told(name: str) -> tuple[Callable[[PyTree], str], Callable[[PyTree], Sequence[str]]]:
    """How a person sees a game: (text, words) of a state."""
    if name == "chess":
        return board_text, uci_moves
    if name in ("go_9x9", "go_19x19"):
        side = int(name.split("x")[-1])
        points = [f"{column}{side - row}" for row in range(side) for column in _letters(side)]
        return _go_text, lambda state: [*points, "pass"]
    return _any_text, lambda state: [str(action) for action in range(len(state.legal_action_mask))]


def _any_text(state: Any) -> str:
    return str(np.asarray(state._x.board))


def _letters(side: int) -> str:
    return "ABCDEFGHJKLMNOPQRST"[:side]  # without I, as players write


def _go_text(state: Any) -> str:
    """Black X, white O; the last row names the columns."""
    side = state._size
    stones = np.sign(np.asarray(state._x.board)).reshape(side, side)
    rows = [
        f"{side - i:2} " + " ".join("OX."[{-1: 0, 1: 1, 0: 2}[int(s)]] for s in row) for i, row in enumerate(stones)
    ]
    return "\n".join([*rows, "   " + " ".join(_letters(side))])
