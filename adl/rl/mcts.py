"""Monte Carlo tree search of one board, batched by `vmap`: a tree that grows where it looks best, in the graph.

Each simulation goes down from the root by the action that a rule likes best, adds the first state that is new, judges
it, and tells every state above, with a sign that changes from player to player. What is visited most is played.

The judge may be anything: the outcome of a game played at random (`rollout`), a value function, or a network that also
says which actions to look at first. Sources: Kocsis & Szepesvari 2006, ECML (UCT); Coulom 2006, CG; Silver et al. 2017,
Nature 550 (PUCT); Rosin 2011, Annals of Mathematics and Artificial Intelligence 61.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key, PyTree
from adl.rl.environment.game import Game, Player

LEAST = 1e-30  # probability of a legal action

Judge = Callable[[Key, PyTree], tuple[Array, Array]]  # (key, state) -> (logits [A], value []) for the side to move


class Searched(NamedTuple):
    """What a search of one state found."""

    action: Array  # [] what it would play
    weights: Array  # [A] how often it would play each action: a better policy than it began with; of illegal ones 0
    value: Array  # [] of the state for the side to move, if it takes that action, in [-1, 1]
    visits: Array  # [A] simulations that went through each action


Search = Callable[[Key, Judge, PyTree], Searched]  # (key, judge, state of a game that is not over)


class Edges(NamedTuple):
    """What a tree knows of the actions in one of its states."""

    visits: Array  # [A]
    value: Array  # [A] means over these, for the side to move; 0 of what was never visited
    prior: Array  # [A] the judge's probabilities
    total: Array  # [] simulations that came to the state


def ucb1(exploration: float = 2**0.5) -> Callable[[Edges], Array]:
    """Rule: Q(a) + c sqrt(log N / N(a)), and what was never visited first.

    Args:
      exploration: c > 0; sqrt(2) is for values within an interval of length 1, and is usual for [-1, 1] as well.
    Source: Auer et al. 2002, Machine Learning 47, figure 1; Kocsis & Szepesvari 2006.
    """

    def rule(edges):
        bonus = exploration * jnp.sqrt(jnp.log(jnp.maximum(edges.total, 1)) / jnp.maximum(edges.visits, 1))
        return jnp.where(edges.visits > 0, edges.value + bonus, 1e6 + edges.prior)

    return rule


def prior_first(exploration: float = 1.25) -> Callable[[Edges], Array]:
    """Rule: Q(a) + c P(a) sqrt(N) / (1 + N(a)).

    Args:
      exploration: c > 0.
    Source: Silver et al. 2017, Nature 550, "Methods", select; Rosin 2011.
    """

    def rule(edges):
        return edges.value + exploration * edges.prior * jnp.sqrt(jnp.maximum(edges.total, 1)) / (1 + edges.visits)

    return rule


class _Tree(NamedTuple):
    """States in the order in which they were found, M = simulations + 1 at most; the root is the first."""

    states: PyTree  # [M, ...]
    children: Array  # [M, A] int32, -1: not there yet
    visits: Array  # [M, A]
    totals: Array  # [M, A] sums of values, for the side to move
    prior: Array  # [M, A], 0 of illegal actions


def uct(
    game: Game, num_simulations: int, rule: Callable[[Edges], Array] | None = None, *, noise: float = 0.0
) -> Search:
    """Search by so many simulations; its weights are the shares of the visits.

    Args:
      game: any.
      num_simulations: N >= 1.
      rule: how the tree is gone down: `ucb1()`, the default, or `prior_first()`.
      noise: in [0, 1], share of the root's prior that is drawn, uniform over all distributions of the legal actions
        (Dirichlet's with concentration 1); 0 to play one's best.
    """
    rule, depth = rule or ucb1(), min(num_simulations, game.longest)

    def search(key: Key, judge: Judge, state: PyTree) -> Searched:
        root_key, noise_key, key = jax.random.split(key, 3)
        tree = _planted(game, state, judge(root_key, state)[0], num_simulations)
        if noise:
            drawn = jax.random.exponential(noise_key, (game.num_actions,)) * game.legal(state)
            prior = (1 - noise) * tree.prior[0] + noise * drawn / drawn.sum()
            tree = tree._replace(prior=tree.prior.at[0].set(prior))

        def simulate(i, tree):
            path = _descended(game, tree, rule, depth)
            return _grown(game, tree, path, judge, jax.random.fold_in(key, i), i + 1)

        tree = lax.fori_loop(0, num_simulations, simulate, tree)
        visits = tree.visits[0]
        total = jnp.maximum(visits.sum(), 1)  # a root that is over has none
        mean = tree.totals[0] / jnp.maximum(visits, 1)
        # Of those that are visited as often as any, the one that looks best.
        best = jnp.argmax(jnp.where(visits == visits.max(), mean, -jnp.inf))
        return Searched(best, visits / total, mean[best], visits)

    return search


class _Path(NamedTuple):
    """A way down: states and the actions taken in them; M where it has ended already."""

    nodes: Array  # [D] int32
    actions: Array  # [D] int32
    length: Array  # [] int32


def _planted(game: Game, state: PyTree, logits: Array, num_simulations: int) -> _Tree:
    """A tree of its root."""
    size, num_actions = num_simulations + 1, game.num_actions
    states = jax.tree.map(lambda x: jnp.zeros((size, *jnp.shape(x)), jnp.asarray(x).dtype).at[0].set(x), state)
    table = jnp.zeros((size, num_actions))
    prior = table.at[0].set(_prior(game, state, logits))
    return _Tree(states, jnp.full(table.shape, -1, jnp.int32), table, table, prior)


def _prior(game: Game, state: PyTree, logits: Array) -> Array:
    """`[A]` probabilities, 0 of illegal actions alone: also where a judge is almost sure, or says what is no number."""
    legal, logits = game.legal(state), jnp.nan_to_num(logits.astype(jnp.float32), posinf=1e9, neginf=-1e9)
    return jnp.where(legal, jnp.maximum(jax.nn.softmax(jnp.where(legal, logits, -jnp.inf)), LEAST), 0)


def _descended(game: Game, tree: _Tree, rule: Callable[[Edges], Array], depth: int) -> _Path:
    """From the root to an action that leads to a new state, or to one where the game has ended."""
    over = jax.vmap(game.ended)(tree.states)
    nobody = len(over)

    def choose(node):
        visits, totals, prior = tree.visits[node], tree.totals[node], tree.prior[node]
        scores = rule(Edges(visits, totals / jnp.maximum(visits, 1), prior, visits.sum()))
        return jnp.argmax(jnp.where(prior > 0, scores, -jnp.inf)).astype(jnp.int32)

    def going(carry):
        _, node = carry
        return (node >= 0) & ~over[node]

    def go(carry):
        path, node = carry
        action = choose(node)
        nodes, actions = path.nodes.at[path.length].set(node), path.actions.at[path.length].set(action)
        return _Path(nodes, actions, path.length + 1), tree.children[node, action]

    start = _Path(jnp.full(depth, nobody, jnp.int32), jnp.zeros(depth, jnp.int32), jnp.zeros((), jnp.int32))
    path, _ = lax.while_loop(lambda carry: going(carry) & (carry[0].length < depth), go, (start, jnp.int32(0)))
    return path


def _grown(game: Game, tree: _Tree, path: _Path, judge: Judge, key: Key, new: Array) -> _Tree:
    """The tree with what lies at the end of a path, and with its value told to all above."""
    parent, action = path.nodes[path.length - 1], path.actions[path.length - 1]
    there = tree.children[parent, action]
    index = jnp.where(there < 0, new, there)
    state = game.play(jax.tree.map(lambda x: x[parent], tree.states), action)
    logits, value = judge(key, state)
    value = jnp.where(game.ended(state), game.outcome(state), value)
    # The last to move sees it with the other sign, whoever moved before with this one again.
    signs = jnp.where((path.length - jnp.arange(len(path.nodes))) % 2 == 1, -1.0, 1.0)
    return _Tree(
        states=jax.tree.map(lambda all, x: all.at[index].set(x), tree.states, state),
        children=tree.children.at[parent, action].set(index),
        visits=tree.visits.at[path.nodes, path.actions].add(1.0, mode="drop"),
        totals=tree.totals.at[path.nodes, path.actions].add(signs * value, mode="drop"),
        prior=tree.prior.at[index].set(_prior(game, state, logits)),
    )


def rollout(game: Game) -> Judge:
    """Judge: all actions alike, and the outcome of one game that both players go on with at random."""

    def judge(key, state):
        def going(carry):
            return ~game.ended(carry[1])

        def move(carry):
            key, state, sign = carry
            key, now = jax.random.split(key)
            action = jax.random.categorical(now, jnp.where(game.legal(state), 0.0, -jnp.inf))
            return key, game.play(state, action), -sign

        _, last, sign = lax.while_loop(going, move, (key, state, jnp.ones(())))
        return jnp.zeros(game.num_actions), sign * game.outcome(last)

    return judge


def indifferent(game: Game) -> Judge:
    """Judge: all actions alike, and every state worth nothing; a search by it sees only how games end."""
    return lambda key, state: (jnp.zeros(game.num_actions), jnp.zeros(()))


def searching_player(search: Search, judge: Judge) -> Player:
    """Who plays what a search finds best."""

    def choose(key: Key, state: Any) -> Array:
        return search(key, judge, state).action

    return choose


def instant_player(game: Game, judge: Judge) -> Player:
    """Who plays what its judge finds likeliest, without a search."""

    def choose(key: Key, state: PyTree) -> Array:
        logits, _ = judge(key, state)
        return jnp.argmax(jnp.where(game.legal(state), logits, -jnp.inf))

    return choose
