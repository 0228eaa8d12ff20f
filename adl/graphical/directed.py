"""Directed graphs: which factors a joint distribution has, and which independences follow from that alone.

    p(x) = prod_n p(x_n | parents of n)

x and y are independent given z in every such distribution if z separates them: every path between x and y holds a node
of z whose arrows do not meet there, or one whose arrows meet and that neither is in z nor has a descendant there.
Sources: Pearl 1988, Probabilistic Reasoning in Intelligent Systems; Bishop 2006, Pattern Recognition and Machine
Learning, sections 8.1 and 8.2.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from adl.core.types import Array


class Directed(NamedTuple):
    """A directed graph without cycles over N nodes; it is static, an array of NumPy's."""

    adjacency: np.ndarray  # [N, N] bool, [i, j]: i is a parent of j

    @classmethod
    def of(cls, num_nodes: int, edges: Collection[tuple[int, int]]) -> "Directed":
        """From edges (parent, child).

        Raises:
          ValueError: if they form a cycle, or name a node that is none of the N.
        """
        adjacency = np.zeros((num_nodes, num_nodes), bool)
        for parent, child in edges:
            _known_nodes(num_nodes, (parent, child))
            adjacency[parent, child] = True
        left = np.ones(num_nodes, bool)
        # Kahn: who has no parent among those left goes; where none can, all that are left are on or behind a cycle.
        while left.any():
            roots = left & ~adjacency[left].any(0)
            if not roots.any():
                nodes = np.flatnonzero(left).tolist()
                raise ValueError(f"edges between nodes {nodes} form a cycle: no node may be its own ancestor")
            left &= ~roots
        return cls(adjacency)

    def parents(self, node: int) -> list[int]:
        """In increasing order."""
        return np.flatnonzero(self.adjacency[:, node]).tolist()

    def ancestors(self, nodes: Collection[int]) -> set[int]:
        """Of any of `nodes`, which are their own ancestors."""
        found, new = set(), set(nodes)
        while new:
            found |= new
            new = {parent for node in new for parent in self.parents(node)} - found
        return found

    def moral(self) -> np.ndarray:
        """`[N, N]` the undirected graph of the same factors: arrows become edges, parents of one child are joined."""
        with_child = (self.adjacency | np.eye(len(self.adjacency), dtype=bool)).astype(int)
        return ((with_child @ with_child.T) > 0) & ~np.eye(len(with_child), dtype=bool)

    def markov_blanket(self, node: int) -> set[int]:
        """What makes a node independent of all others: parents, children, and their other parents."""
        return set(np.flatnonzero(self.moral()[node]).tolist())


def d_separated(graph: Directed, x: Collection[int], y: Collection[int], given: Collection[int] = ()) -> bool:
    """Whether the graph alone says that x and y are independent given z.

    A ball that starts in x, and bounces as the arrows say, does not come to y.

    Args:
      graph: of N nodes.
      x: nodes.
      y: nodes, none of them in x.
      given: nodes, none of them in x or y.
    Raises:
      ValueError: if sets overlap, or name a node that is none of the N.
    Source: Shachter 1998, Bayes-Ball, arXiv:1301.7412.
    """
    _known_nodes(len(graph.adjacency), {*x, *y, *given})
    shared = sorted({*x} & {*y} | {*given} & {*x, *y})
    if shared:
        raise ValueError(f"nodes {shared} stand in two of x, y and given, which must not overlap")
    known, above = set(given), graph.ancestors(given)
    seen, to_visit = set(), [(node, False) for node in x]
    while to_visit:
        node, is_from_parent = visit = to_visit.pop()
        if visit in seen:
            continue
        seen.add(visit)
        up = node in above if is_from_parent else node not in known
        if up:
            to_visit += [(parent, False) for parent in graph.parents(node)]
        if node not in known:
            to_visit += [(child, True) for child in np.flatnonzero(graph.adjacency[node]).tolist()]
    return not {node for node, _ in seen if node not in known} & set(y)


def joint(graph: Directed, tables: Sequence[Array]) -> Array:
    """p(x) `[K_1, ..., K_N]` from conditional tables.

    Args:
      graph: of N nodes.
      tables: for each node p(x_n | parents) `[parents in increasing order ..., K_n]`; the last axis sums to 1.
    """
    operands = []
    for node, table in enumerate(tables):
        operands += [table, [*graph.parents(node), node]]
    return jnp.einsum(*operands, list(range(len(tables))))


def _known_nodes(num_nodes: int, nodes: Collection[int]) -> None:
    """A negative number would count from the end."""
    strange = sorted(node for node in nodes if not 0 <= node < num_nodes)
    if strange:
        raise ValueError(f"nodes {strange} are none of 0 ... {num_nodes - 1}")
