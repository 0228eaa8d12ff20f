"""Players who count what a move wins at once, and what the answer to it wins back: minimax of one and two moves.

    greedy:   argmax_a g(s, a)          careful:   argmax_a g(s, a) - max_b g(s', b)

with g(s, a) = -w(s') - w(s) for the worth w of a state to the side to move. Source: Shannon 1950, Philosophical
Magazine 41, section 4: both are his type A, which looks at all moves to a fixed depth.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key, PyTree
from adl.rl.environment.counted import Counted
from adl.rl.environment.game import Game, Player, dearest, uniform_player
from adl.rl.mcts import prior_first, searching_player, uct

Gains = Callable[[PyTree], Array]  # state -> what each action wins at once [A]; of illegal ones -inf

WON = 1e3  # what a game is worth that is won


def greedy_player(gains: Gains) -> Player:
    """Who takes what wins most at once; of several such actions, any of them.

    Args:
      gains: of a game's actions.
    """
    return lambda key, state: dearest(key, gains(state))


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


def counting_players(found: Counted, num_simulations: int) -> dict[str, Player]:
    """Who learns nothing: "random", "greedy", "careful", and "search", UCT led by gains and judged by worth.

    Args:
      found: the game, and what is counted.
      num_simulations: of the search, a move.
    """
    game = found.game

    def judge(key, state):
        return found.gains(state), jnp.tanh(found.worth(state) / found.unit)

    return {
        "random": uniform_player(game),
        "greedy": greedy_player(found.gains),
        "careful": careful_player(game, found.gains),
        "search": searching_player(uct(game, num_simulations, prior_first()), judge),
    }
