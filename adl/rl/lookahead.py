"""Players who count what a move wins at once, and what the answer to it wins back: minimax of one and two moves.

    greedy:   argmax_a g(s, a)          careful:   argmax_a g(s, a) - max_b g(s', b)

with g(s, a) = -w(s') - w(s) for the worth w of a state to the side to move. Source: Shannon 1950, Philosophical
Magazine 41, section 4: both are his type A, which looks at all moves to a fixed depth.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key, PyTree
from adl.rl.environment.game import Game, Player, dearest
from adl.rl.mcts import Judge

Gains = Callable[[PyTree], Array]  # state -> what each action wins at once [A]; of illegal ones -inf

WON = 1e3  # what a game is worth that is won


def tried_gains(game: Game, worth: Callable[[PyTree], Array]) -> Gains:
    """What each action wins, by trying it out; for games with few.

    Args:
      game: any.
      worth: of a state, for the side to move.
    """

    def gains(state):
        after = jax.vmap(game.play, (None, 0))(state, jnp.arange(game.num_actions))
        return jnp.where(game.legal(state), -jax.vmap(worth)(after) - worth(state), -jnp.inf)

    return gains


def careful_player(game: Game, gains: Gains) -> Player:
    """Who looks at all moves and at what the best answer to each wins, and takes an end of the game for what it is.

    Args:
      game: any.
      gains: of its actions.
    """

    def choose(key: Key, state: PyTree) -> Array:
        won, count = gains(state), jnp.cumsum(game.legal(state))

        def look(i, kept):
            action = jnp.argmax(count > i)  # the next that is legal
            after = game.play(state, action)
            lost = jnp.where(game.ended(after), WON * game.outcome(after), gains(after).max())
            return kept.at[action].set(won[action] - lost)

        num_legal = jnp.where(game.ended(state), 0, count[-1])
        return dearest(key, lax.fori_loop(0, num_legal, look, jnp.full(won.shape, -jnp.inf)))

    return choose


def counted_judge(gains: Gains, worth: Callable[[PyTree], Array], *, unit: float) -> Judge:
    """Judge of a search: what wins most at once is looked at first, and a state is worth what it is by count.

    Args:
      gains: of the actions; their logits.
      worth: of a state.
      unit: > 0, of the worth that is about two thirds of a won game.
    """
    return lambda key, state: (gains(state), jnp.tanh(worth(state) / unit))
