"""MinAtar: five Atari games in miniature, as pictures of 10 x 10 places with one channel for each kind of thing.

The games are pgx's, which move as MinAtar's own do: `pip install 'adl[games]'`. Only actions that do something are
offered. With sticky actions the world now and then repeats the last action instead of the one that was chosen.

Sources: Young & Tian 2019, arXiv:1903.03176; Koyamada et al. 2023, arXiv:2303.17503 (pgx).
"""

import jax

from adl.core import BadInput, did_you_mean, of_extra
from adl.core.types import PyTree
from adl.rl.environment.world import Choices, Environment, Step
from adl.rl.environment.wrappers import time_limit

GAMES = {  # and what their channels show, from the front
    "asterix": ("player", "enemy", "trail", "gold"),
    "breakout": ("paddle", "ball", "trail", "brick"),
    "freeway": ("chicken", "car", "speed 1", "speed 2", "speed 3", "speed 4", "speed 5"),
    "seaquest": (
        *("front of the submarine", "back of the submarine", "own bullet", "trail", "enemy's bullet", "fish"),
        *("enemy submarine", "oxygen", "divers aboard", "diver"),
    ),
    "space_invaders": ("cannon", "alien", "aliens to the left", "aliens to the right", "own bullet", "alien's bullet"),
}
LIMIT = 2500  # steps: Freeway's own end; good players of the others may never end


def minatar(game: str, *, sticky: float = 0.1, limit: int = LIMIT) -> Environment:
    """One of the `GAMES`; observations are `[10, 10, C]` boolean.

    Args:
      game: its name.
      sticky: in [0, 1], probability that the last action is repeated; MinAtar has 0.1.
      limit: >= 1, steps until truncation.
    Raises:
      BadInput: if there is no such game, or pgx is not installed.
    """
    if game not in GAMES:
        raise BadInput(f"MinAtar has no {game}: it has {', '.join(GAMES)}{did_you_mean(game, [*GAMES])}")
    with jax.ensure_compile_time_eval():  # pgx makes arrays when it is imported, and this may be in a trace
        theirs = of_extra("pgx", "games", "MinAtar's games are pgx's").make(f"minatar-{game}")
    theirs.sticky_action_prob = sticky
    example = jax.eval_shape(theirs.init, jax.random.key(0))
    leaves, structure = jax.tree.flatten(example)

    def arrays(state: PyTree) -> tuple:
        """Without pgx's classes, and of the types of the first state, none of them weak."""
        return tuple(
            jax.lax.convert_element_type(x, like.dtype) for x, like in zip(jax.tree.leaves(state), leaves, strict=True)
        )

    def reset(key):
        state = theirs.init(key)
        return arrays(state), state.observation

    def step(key, state, action):
        state = theirs.step(jax.tree.unflatten(structure, state), action, key)
        return Step(arrays(state), state.observation, state.rewards[0], state.terminated, state.truncated)

    return time_limit(Environment(reset, step, Choices(example.legal_action_mask.shape[0])), limit)
