"""Searches that a network leads: AlphaZero's by PUCT, which is `mcts.uct`'s, and Gumbel AlphaZero's, which is mctx's.

    pip install 'adl[games]'

In a game the model of the world is the game itself: an action leads to the state that it leads to, whose value counts
with the other sign, and with none where the game has ended.
"""

from typing import Any

import jax
import jax.numpy as jnp

from adl.core import BadInput, of_extra
from adl.core.types import Key, PyTree
from adl.rl.environment.game import Game
from adl.rl.mcts import Judge, Search, Searched, prior_first, uct


def gumbel_search(game: Game, num_simulations: int, *, noise: float = 1.0, considered: int = 16) -> Search:
    """Search that improves the policy by any number of simulations: actions drawn without replacement, then halved.

    pi'(a) ~ exp(logits(a) + sigma(q(a))),   q completed by the mixed value where nothing was visited          (eq. 11)

    Args:
      game: any.
      num_simulations: N >= 1.
      noise: 1 draws by the policy, as in training; 0 takes the likeliest, to play one's best.
      considered: actions that are looked at in the root, at most.
    Raises:
      BadInput: without mctx.
    Source: Danihelka et al. 2022, "Policy improvement by planning with Gumbel" (ICLR), algorithm 2 and section 4.
    """
    mctx = of_extra("mctx", "games", "the search by Gumbel is mctx's")
    options = {"gumbel_scale": noise, "max_num_considered_actions": considered}
    return _searching(game, mctx, mctx.gumbel_muzero_policy, num_simulations=num_simulations, **options)


def led_search(name: str, game: Game, num_simulations: int, *, noise: float) -> Search:
    """A search that a network leads, by its name: "puct", which is ours, or "gumbel", which is mctx's.

    Args:
      name: "puct" or "gumbel".
      game: any.
      num_simulations: N >= 1.
      noise: 1 in self-play, 0 to play one's best.
    Raises:
      BadInput: for another name; or of "gumbel" without mctx.
    """
    if name == "gumbel":
        return gumbel_search(game, num_simulations, noise=noise)
    if name == "puct":
        return uct(game, num_simulations, prior_first(), noise=0.25 * noise)
    raise BadInput(f"no search {name}: there are puct and gumbel")


def _searching(game: Game, mctx: Any, policy: Any, **options: Any) -> Search:
    """A search of one board, by a policy of mctx, which wants a batch."""

    def search(key: Key, judge: Judge, state: PyTree) -> Searched:
        root_key, key = jax.random.split(key)

        def unfold(_, key, action, boards):
            """What mctx calls the recurrent function."""
            before = jax.tree.map(lambda x: x[0], boards)
            after = game.play(before, action[0])
            logits, value = judge(key, after)
            over, was_over = game.ended(after), game.ended(before)
            step = mctx.RecurrentFnOutput(
                reward=jnp.where(over & ~was_over, -game.outcome(after), 0.0)[None],
                discount=jnp.where(over, 0.0, -1.0)[None],
                prior_logits=jnp.where(game.legal(after), logits, -1e9)[None],
                value=jnp.where(over, 0.0, value)[None],
            )
            return step, jax.tree.map(lambda x: x[None], after)

        logits, value = judge(root_key, state)
        boards = jax.tree.map(lambda x: jnp.asarray(x)[None], state)
        root = mctx.RootFnOutput(prior_logits=logits[None], value=value[None], embedding=boards)
        illegal = ~game.legal(state)[None]
        out = policy((), key, root, unfold, invalid_actions=illegal, **options)
        summary = out.search_tree.summary()
        action = out.action[0]
        return Searched(action, out.action_weights[0], summary.qvalues[0, action], summary.visit_counts[0])

    return search
