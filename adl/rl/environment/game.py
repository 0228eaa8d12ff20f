"""Games of two players, of which one's gain is the other's loss and both see the whole board; and one as a world.

A game is a set of pure functions of one board, batched by `vmap`. Whatever a function says it says from the view of
the side to move: after a winning move that is the loser. So a search and a network know one player alone, and a value
changes its sign with each move.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import tree
from adl.core.types import Array, Key, PyTree
from adl.rl.environment.world import Choices, Environment, Step

Player = Callable[[Key, PyTree], Array]  # (key, state) -> a legal action [], of the side to move


class Game(NamedTuple):
    """A game: alternating moves, zero sum, perfect information."""

    init: Callable[[], PyTree]  # the state before the first move
    play: Callable[[PyTree, Array], PyTree]  # (state, a legal action []) -> state; a game that has ended stays as it is
    legal: Callable[[PyTree], Array]  # state -> [A] boolean; of a game that has ended all, and none counts
    obs: Callable[[PyTree], Array]  # state -> [H, W, C] float32: the board as the side to move sees it
    ended: Callable[[PyTree], Array]  # state -> [] boolean
    outcome: Callable[[PyTree], Array]  # state -> [] in [-1, 1]: 1 the side to move has won, 0 a draw or not over yet
    num_actions: int  # A
    longest: int  # moves of the longest game
    text: Callable[[PyTree], str]  # state -> the board in lines, for a person
    words: Callable[[PyTree], Sequence[str]]  # state -> [A] what a person calls the actions


def uniform_player(game: Game) -> Player:
    """Any legal action, each as likely as the others."""
    return lambda key, state: any_of(key, game.legal(state))


def any_of(key: Key, allowed: Array) -> Array:
    """`[]` one of the actions that are allowed `[A]`, each as likely as the others, by a single number at random.

    Args:
      key: consumed.
      allowed: boolean, one true at least.
    """
    rows = jnp.pad(allowed, (0, -allowed.size % 64)).reshape(-1, 64)  # a running count of all would take longer
    before = jnp.cumsum(rows.sum(1))
    place = jax.random.randint(key, (), 0, before[-1])
    row = jnp.argmax(before > place)
    left = place - before[row] + rows[row].sum()
    return 64 * row + jnp.argmax(jnp.cumsum(rows[row]) > left)


def dearest(key: Key, gains: Array) -> Array:
    """`[]` the action that wins most; of several, any of them.

    Args:
      key: consumed.
      gains: `[A]`, of which one is finite at least.
    """
    return any_of(key, gains == gains.max())


def against_opponent(game: Game, opponent: Player, worth: Callable[[PyTree], Array] | None = None) -> Environment:
    """The game as a world of one agent: a step is its move and the opponent's answer, or the end.

    Who begins is drawn in `reset`. The reward is what the agent's side gains in a step; an illegal move ends the game,
    with reward -1.

    Args:
      game: any.
      opponent: who answers.
      worth: of a state, for the side to move; None: the outcome, so that the reward is 1, 0 or -1 at the end.
    """
    worth = worth or game.outcome

    def reset(key):
        side_key, move_key = jax.random.split(key)
        begun = game.init()
        answered = game.play(begun, opponent(move_key, begun))
        state = tree.where(jax.random.bernoulli(side_key), answered, begun)
        return state, game.obs(state)

    def step(key, state, action):
        is_legal = game.legal(state)[action]
        mine = game.play(state, action)
        theirs = game.play(mine, opponent(key, mine))
        won_or_drawn = game.ended(mine)
        after = tree.where(won_or_drawn, mine, theirs)
        gain = jnp.where(won_or_drawn, -worth(mine), worth(theirs)) - worth(state)
        reward = jnp.where(is_legal, gain, -1.0)
        return Step(after, game.obs(after), reward, game.ended(after) | ~is_legal, jnp.zeros((), bool))

    return Environment(reset, step, Choices(game.num_actions), game.legal)
