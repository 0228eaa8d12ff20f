"""Games by name: ours, and those of pgx."""

from adl.core import BadInput, did_you_mean
from adl.rl.environment.connect_four import connect_four
from adl.rl.environment.game import Game
from adl.rl.environment.pgx_games import LONGEST, pgx_game
from adl.rl.environment.tictactoe import tictactoe

OURS = {
    "tictactoe": tictactoe,
    "connect_four": connect_four,
    "connect_four_4x5": lambda: connect_four(4, 5),
}
NAMES = (*OURS, *(name for name in LONGEST if name not in ("connect_four", "tic_tac_toe")))


def named_game(name: str) -> Game:
    """A game by its name.

    Args:
      name: one of `NAMES`.
    Raises:
      BadInput: for another; or for one of pgx's without it.
    """
    if name in OURS:
        return OURS[name]()
    if name not in NAMES:
        raise BadInput(f"no game {name}: there are {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    return pgx_game(name)
