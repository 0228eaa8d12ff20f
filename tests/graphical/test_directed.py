"""Directed graphs: what they say of independence, against random tables on all graphs of up to four nodes."""

import itertools

import jax
import numpy as np
import pytest

from adl.graphical.directed import Directed, d_separated, joint


def graphs(num_nodes: int) -> list[Directed]:
    """All graphs whose arrows go to higher numbers: every graph without cycles is one of these, renamed."""
    pairs = list(itertools.combinations(range(num_nodes), 2))
    return [
        Directed.of(num_nodes, [pair for pair, is_in in zip(pairs, chosen, strict=True) if is_in])
        for chosen in itertools.product([0, 1], repeat=len(pairs))
    ]


def multiplied(graph: Directed, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Random tables, and their joint distribution by multiplication, state by state."""
    num_nodes = len(graph.adjacency)
    tables = [rng.dirichlet(np.ones(2), size=(2,) * len(graph.parents(n))) for n in range(num_nodes)]
    p = np.ones((2,) * num_nodes)
    for state in np.ndindex(*p.shape):
        for n, table in enumerate(tables):
            p[state] *= table[(*(state[parent] for parent in graph.parents(n)), state[n])]
    return tables, p


def independent(p: np.ndarray, x: int, y: int, given: tuple[int, ...]) -> bool:
    rest = tuple(n for n in range(p.ndim) if n not in (x, y, *given))
    p = p.sum(rest, keepdims=True)
    both, none = p * p.sum((x, y), keepdims=True), p.sum(x, keepdims=True) * p.sum(y, keepdims=True)
    return bool(np.abs(both - none).max() < 1e-9)


def separated_by_moral_graph(graph: Directed, x: int, y: int, given: tuple[int, ...]) -> bool:
    """The other criterion: in the moral graph of the ancestors of x, y and z, all ways from x to y lead through z."""
    kept = sorted(graph.ancestors({x, y, *given}))
    moral = np.zeros_like(graph.adjacency)
    moral[np.ix_(kept, kept)] = Directed(graph.adjacency[np.ix_(kept, kept)]).moral()
    moral[list(given)] = moral[:, list(given)] = False
    return not np.linalg.matrix_power(moral + np.eye(len(moral)), len(moral))[x, y] > 0


@pytest.mark.parametrize("num_nodes", [2, 3, 4])
def test_separation_is_independence(num_nodes):
    """Of random tables almost surely both ways: no independence is an accident."""
    rng, checked = np.random.default_rng(0), 0
    for graph in graphs(num_nodes):
        _, p = multiplied(graph, rng)
        for x, y in itertools.combinations(range(num_nodes), 2):
            others = [n for n in range(num_nodes) if n not in (x, y)]
            for size in range(len(others) + 1):
                for given in itertools.combinations(others, size):
                    says = d_separated(graph, [x], [y], given)
                    assert says == independent(p, x, y, given), (graph, x, y, given)
                    assert says == d_separated(graph, [y], [x], given)
                    assert says == separated_by_moral_graph(graph, x, y, given)
                    checked += 1
    assert checked == {2: 2, 3: 8 * 6, 4: 64 * 24}[num_nodes]


def test_blanket_is_the_smallest_that_separates():
    for graph in graphs(4):
        for node in range(4):
            blanket = graph.markov_blanket(node)
            others = set(range(4)) - blanket - {node}
            assert not others or d_separated(graph, [node], others, blanket)
            for left_out in blanket:
                assert not d_separated(graph, [node], others | {left_out}, blanket - {left_out})


def test_sets_are_separated_where_all_their_pairs_are():
    for graph in graphs(4)[::3]:
        want = all(d_separated(graph, [x], [y]) for x in (0, 2) for y in (1, 3))
        assert d_separated(graph, [0, 2], [1, 3]) == want


def test_joint_is_the_product_of_its_tables():
    rng = np.random.default_rng(0)
    for graph in graphs(3):
        tables, p = multiplied(graph, rng)
        np.testing.assert_allclose(joint(graph, tables), p, rtol=1e-5)
    gradient = jax.grad(lambda first: joint(graph, [first, *tables[1:]])[0].sum())(tables[0].astype("f"))
    np.testing.assert_allclose(gradient, [1, 0], atol=1e-6)


def test_cycles_are_refused():
    with pytest.raises(ValueError, match="cycle"):
        Directed.of(3, [(0, 1), (1, 2), (2, 0)])
