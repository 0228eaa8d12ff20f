"""Sum-product and max-product on factor graphs: messages between factors and the variables that they are about.

    p(x) = prod_f phi_f(x_f) / Z
    variable to factor   q_{n f}(x_n) = prod_{g != f} r_{g n}(x_n)
    factor to variable   r_{f n}(x_n) = sum (or max) over x_f without x_n of phi_f(x_f) prod_{m != n} q_{m f}(x_m)

All messages move at once. On a tree they stop after as many steps as it has factors, and are exact: the products of
what comes to a variable are marginals (or max-marginals). On a graph with loops evidence comes back as if it were new:
messages may circle for ever, and what they stop at is only an approximation (see `belief_propagation`).
Sources: Kschischang, Frey & Loeliger 2001, IEEE Transactions on Information Theory 47(2); Bishop 2006, Pattern
Recognition and Machine Learning, section 8.4; Yedidia, Freeman & Weiss 2005, IEEE Transactions on Information Theory
51(7), for the Bethe free energy.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import Algorithm, Mean, border, tree
from adl.core.summation import total
from adl.core.types import Array
from adl.graphical.directed import Directed

Messages = tuple[Array, ...]  # for each group `[F, A, K]` log r, from its factors to each of their variables
Potentials = tuple[Array, ...]  # for each group `[F, K, ..., K]` log phi, with A axes of K


class FactorGraph(NamedTuple):
    """Factors over N variables of K states each, in groups of equal arity; static, arrays of NumPy's."""

    num_variables: int  # N
    num_states: int  # K; a variable of fewer has a factor of its own that is -inf at the others
    scopes: tuple[np.ndarray, ...]  # for each group `[F, A]`, the variables of its factors

    def is_tree(self) -> bool:
        """Whether no two ways lead from one variable to another."""
        root = list(range(self.num_variables))

        def find(n):
            while root[n] != n:
                n = root[n]
            return n

        for scope in (row for group in self.scopes for row in group):
            roots = {find(int(n)) for n in scope}
            if len(roots) < len(scope):
                return False
            for n in roots:
                root[n] = min(roots)
        return True


class Beliefs(NamedTuple):
    """What the messages say; exact on a tree."""

    variables: Array  # [N, K] log marginals
    factors: tuple[Array, ...]  # for each group [F, K, ..., K] log marginals of its variables together
    log_partition: Array  # [] log Z by the Bethe approximation, in nats


def grid(height: int, width: int) -> FactorGraph:
    """Pixels of two states in rows: a factor for each, then one for each pair of neighbours, horizontal ones first."""
    pixel = np.arange(height * width).reshape(height, width)
    across = np.stack([pixel[:, :-1].ravel(), pixel[:, 1:].ravel()], -1)
    down = np.stack([pixel[:-1].ravel(), pixel[1:].ravel()], -1)
    return FactorGraph(height * width, 2, (pixel.reshape(-1, 1), np.concatenate([across, down])))


def of_directed(graph: Directed, tables: Sequence[Array]) -> tuple[FactorGraph, Potentials]:
    """A factor for each table `[K, ..., K]` of `directed.joint`; Z is 1, and with evidence its probability."""
    scopes = [[*graph.parents(node), node] for node in range(len(tables))]
    arities = sorted({len(scope) for scope in scopes})
    groups = [[n for n, scope in enumerate(scopes) if len(scope) == arity] for arity in arities]
    potentials = tuple(jnp.log(jnp.stack([tables[n] for n in group])) for group in groups)
    graph = FactorGraph(len(tables), tables[0].shape[-1], tuple(np.array([scopes[n] for n in g]) for g in groups))
    return graph, potentials


def start(graph: FactorGraph) -> Messages:
    """Messages that say nothing."""
    return tuple(
        jnp.full((*scope.shape, graph.num_states), -np.log(graph.num_states), jnp.float32) for scope in graph.scopes
    )


def passed(
    graph: FactorGraph, potentials: Potentials, messages: Messages, *, semiring: Literal["sum", "max"] = "sum"
) -> Messages:
    """All messages, once; each is normalised to the sum 1, whatever the semiring.

    Args:
      graph: of G groups.
      potentials: of each group.
      messages: as from `start`, or from the last time.
      semiring: "sum" for marginals, "max" for max-marginals.
    """
    reduce = jax.nn.logsumexp if semiring == "sum" else jnp.max

    def one(potential, incoming):
        potential, arity = potential - _common(potential), incoming.shape[1]
        sent = []
        for a in range(arity):
            product = potential
            for b in range(arity):
                if b != a:
                    product = product + _along(incoming[:, b], b, arity)
            sent.append(reduce(product, axis=tuple(1 + b for b in range(arity) if b != a)) if arity > 1 else product)
        return jax.nn.log_softmax(jnp.stack(sent, 1))

    return tuple(map(one, potentials, _to_factors(graph, messages)))


def beliefs(graph: FactorGraph, potentials: Potentials, messages: Messages) -> Beliefs:
    """Marginals and log Z by sum-product's messages.

    log Z = sum_f E_b[log phi_f - log b_f] - sum_n (d_n - 1) H(b_n),   d_n the number of factors of variable n
    """
    variables = jax.nn.log_softmax(_gathered(graph, messages))
    factors, parts = [], []
    for potential, incoming in zip(potentials, _to_factors(graph, messages), strict=True):
        common = _common(potential)
        potential = potential - common
        joint = potential
        for a in range(incoming.shape[1]):
            joint = joint + _along(incoming[:, a], a, incoming.shape[1])
        joint = jax.nn.log_softmax(joint, axis=tuple(range(1, joint.ndim)))
        factors.append(joint)
        possible = joint > -jnp.inf
        gain = jnp.where(possible, potential, 0) - jnp.where(possible, joint, 0)
        parts += [common.ravel(), (jnp.exp(joint) * gain).reshape(len(gain), -1).sum(1)]
    degree = np.bincount(np.concatenate([scope.ravel() for scope in graph.scopes]), minlength=graph.num_variables)
    entropy = -(jnp.exp(variables) * jnp.where(variables > -jnp.inf, variables, 0)).sum(-1)
    return Beliefs(variables, tuple(factors), total(jnp.concatenate([*parts, (1 - degree) * entropy])))


def sum_product(graph: FactorGraph, potentials: Potentials, *, num_steps: int | None = None) -> Beliefs:
    """Marginals and log Z, exact on a tree.

    Args:
      graph: of N variables.
      potentials: of each group.
      num_steps: times that all messages move; by default as many as there are factors, for a tree.
    Raises:
      ValueError: for a graph with loops, if `num_steps` is not given.
    """
    return beliefs(graph, potentials, _settled(graph, potentials, "sum", num_steps))


def max_product(graph: FactorGraph, potentials: Potentials, *, num_steps: int | None = None) -> tuple[Array, Array]:
    """The most probable states `[N]`, int32, and their `score` `[]`; exact on a tree where there is only one best.

    Args:
      graph: of N variables.
      potentials: of each group.
      num_steps: as in `sum_product`, with its error.
    """
    states = _gathered(graph, _settled(graph, potentials, "max", num_steps)).argmax(-1)
    return states, score(graph, potentials, states)


def score(graph: FactorGraph, potentials: Potentials, states: Array) -> Array:
    """sum_f log phi_f(x_f) `[]` of states `[N]`: log p(x) + log Z."""
    parts = [
        potential[(np.arange(len(scope)), *states[scope].T)]
        for scope, potential in zip(graph.scopes, potentials, strict=True)
    ]
    return total(jnp.concatenate(parts))


@border.rows
def belief_propagation(
    graph: FactorGraph, *, semiring: Literal["sum", "max"] = "sum", damping: float = 0.0
) -> Algorithm:
    """Messages that move once a step, for many problems on one graph; the state is `[B, ...]` of `Messages`.

    A batch is `{"potentials": (for each group [B, F, K, ..., K], ...)}`, the same at every step. Reports the `loss`,
    the mean absolute change of a message's probabilities, which is 0 at a fixed point.

    With loops there need not be one that messages come to: three pixels that repel each other with beta = -4 under a
    bias of 1 still move by 0.18 after 300 steps, and with damping 0.5 by 0 after 100. Nor need it be right. On a grid
    of 3 x 3 pixels that attract each other with beta = 1, of which one corner leans to 1 with eta = 0.1, the true
    marginal of the opposite corner is 0.544; messages say 0.969: each pixel hears its own opinion as its neighbours'.

    Args:
      graph: of G groups.
      semiring: as in `passed`.
      damping: in [0, 1), the share of the old message, by its logarithm; the potentials must then be finite.
    """

    def init(key, batch):
        _assert_potentials(graph, batch["potentials"])
        num_problems = len(jax.tree.leaves(batch["potentials"])[0])
        return tuple(jnp.broadcast_to(m[None], (num_problems, *m.shape)) for m in start(graph))

    def step(key, messages, batch):
        _assert_potentials(graph, batch["potentials"])
        new = jax.vmap(lambda p, m: passed(graph, p, m, semiring=semiring))(batch["potentials"], messages)
        if damping:
            new = jax.tree.map(jax.nn.log_softmax, tree.ema(messages, new, damping))
        change = [Mean.of(jnp.abs(jnp.exp(a) - jnp.exp(b))) for a, b in zip(new, messages, strict=True)]
        return new, {"loss": sum(change[1:], change[0])}

    return Algorithm(init, step, axes=0)


def _settled(graph, potentials, semiring, num_steps) -> Messages:
    if num_steps is None:
        if not graph.is_tree():
            raise ValueError("a graph with loops, where messages need not come to an end: say num_steps")
        num_steps = sum(len(scope) for scope in graph.scopes)

    def step(messages, _):
        return passed(graph, potentials, messages, semiring=semiring), None

    return lax.scan(step, start(graph), length=num_steps)[0]


def _gathered(graph: FactorGraph, messages: Messages) -> Array:
    """Sums `[N, K]` of what comes to each variable."""
    whole = jnp.zeros((graph.num_variables, graph.num_states))
    for scope, message in zip(graph.scopes, messages, strict=True):
        whole = whole.at[scope].add(message)
    return whole


def _to_factors(graph: FactorGraph, messages: Messages) -> tuple[Array, ...]:
    """Messages `[F, A, K]` to the factors of each group: all that comes to a variable but what the factor said.

    Sums over those before and those behind, and no difference: a message of -1e6, or -inf, cannot be taken back.
    """
    flat = jnp.concatenate([message.reshape(-1, graph.num_states) for message in messages])
    others = jnp.zeros_like(flat)
    for edges in _edges_by_degree(graph):
        sent = flat[edges]
        nothing = jnp.zeros_like(sent[:, :1])
        before = jnp.concatenate([nothing, sent[:, :-1]], 1).cumsum(1)
        behind = lax.cumsum(jnp.concatenate([sent[:, 1:], nothing], 1), 1, reverse=True)
        others = others.at[edges].set(jax.nn.log_softmax(before + behind))
    ends = np.cumsum([scope.size for scope in graph.scopes])[:-1]
    return tuple(part.reshape(m.shape) for part, m in zip(jnp.split(others, ends), messages, strict=True))


def _edges_by_degree(graph: FactorGraph) -> list[np.ndarray]:
    """For each number of factors d that variables have, `[N_d, d]` where the messages to them stand."""
    variable = np.concatenate([scope.ravel() for scope in graph.scopes])
    order, degree = np.argsort(variable, kind="stable"), np.bincount(variable)
    first = np.cumsum(degree) - degree
    return [order[first[degree == d][:, None] + np.arange(d)] for d in np.unique(degree[degree > 0])]


def _common(potential: Array) -> Array:
    """The largest of each factor's potentials `[F, 1, ..., 1]`, or 0 where that is not finite; no gradient."""
    top = lax.stop_gradient(potential.max(tuple(range(1, potential.ndim)), keepdims=True))
    return jnp.where(jnp.isfinite(top), top, 0)


def _along(message: Array, at: int, arity: int) -> Array:
    """`[F, 1, ..., K, ..., 1]`: a message `[F, K]` along that axis of a factor."""
    return message.reshape(len(message), *[message.shape[-1] if a == at else 1 for a in range(arity)])


def _assert_potentials(graph: FactorGraph, potentials: Potentials) -> None:
    """For each group `[B, F, K, ..., K]` float."""
    chex.assert_type(potentials, float)
    for scope, potential in zip(graph.scopes, potentials, strict=True):
        factors, arity = scope.shape
        chex.assert_shape(potential, (None, factors, *[graph.num_states] * arity))
