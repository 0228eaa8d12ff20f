"""Messages on factor graphs: exact on trees against enumeration, and wrong where there are loops."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from adl.core import jitted
from adl.graphical import hmm, ising
from adl.graphical.directed import Directed, joint
from adl.graphical.factor_graph import (
    FactorGraph,
    belief_propagation,
    beliefs,
    grid,
    max_product,
    of_directed,
    passed,
    score,
    start,
    sum_product,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
K = 3
# A tree with a factor of three variables, a chain behind it, and factors of single variables.
TREE = FactorGraph(6, K, (np.array([[0], [2], [5]]), np.array([[2, 3], [5, 3], [1, 4]]), np.array([[0, 1, 2]])))
POTENTIALS = tuple(2 * RNG.normal(size=(len(s), *[K] * s.shape[1])).astype("f") for s in TREE.scopes)
POTENTIALS[0][0, 1] = POTENTIALS[1][0, 2, 0] = -np.inf  # two things never happen


def enumerated(graph: FactorGraph, potentials) -> np.ndarray:
    """log of the product of all factors `[K, ..., K]`, state by state, in float64."""
    log_p = np.zeros([graph.num_states] * graph.num_variables)
    for states in np.ndindex(*log_p.shape):
        for scope, potential in zip(graph.scopes, potentials, strict=True):
            for row, table in zip(scope, np.asarray(potential, float), strict=True):
                log_p[states] += table[tuple(states[n] for n in row)]
    return log_p


def marginals(log_p: np.ndarray) -> np.ndarray:
    p = np.exp(log_p - logsumexp(log_p))
    return np.stack([p.sum(tuple(m for m in range(p.ndim) if m != n)) for n in range(p.ndim)])


def test_tree_is_exact():
    log_p = enumerated(TREE, POTENTIALS)
    got = jax.jit(lambda p: sum_product(TREE, p))(POTENTIALS)
    np.testing.assert_allclose(np.exp(got.variables), marginals(log_p), atol=1e-5)
    np.testing.assert_allclose(got.log_partition, logsumexp(log_p), rtol=1e-5)
    p = np.exp(log_p - logsumexp(log_p))
    np.testing.assert_allclose(np.exp(got.factors[2][0]), p.sum((3, 4, 5)), atol=1e-5)
    states, value = jax.jit(lambda p: max_product(TREE, p))(POTENTIALS)
    np.testing.assert_array_equal(states, np.unravel_index(log_p.argmax(), log_p.shape))
    np.testing.assert_allclose(value, log_p.max(), rtol=1e-5)


def test_gradient_of_log_z_is_the_marginal():
    """d log Z / d log phi = p: messages at their end are stationary, and differentiated through."""
    potentials = [np.where(np.isfinite(p), p, -1) for p in POTENTIALS]
    gradient = jax.jit(jax.grad(lambda p: sum_product(TREE, p).log_partition))(potentials)
    log_p = enumerated(TREE, potentials)
    np.testing.assert_allclose(gradient[0][:, :], marginals(log_p)[[0, 2, 5]], atol=1e-4)


def test_a_chain_is_the_hidden_markov_model():
    """The other algorithm for the same distribution; vmap over sequences."""
    chain = hmm.MarkovChain(jnp.ones(K) / K, jnp.asarray(RNG.dirichlet(np.ones(K), K), jnp.float32))
    log_p = jnp.asarray(RNG.normal(size=(2, 6, K)), jnp.float32)
    graph = FactorGraph(6, K, (np.arange(6)[:, None], np.stack([np.arange(5), np.arange(1, 6)], -1)))
    pair = jnp.broadcast_to(jnp.log(chain.transition)[None], (5, K, K))
    got = jax.jit(jax.vmap(lambda x: sum_product(graph, (x.at[0].add(jnp.log(chain.initial)), pair))))(log_p)
    want = jax.jit(jax.vmap(hmm.smooth, (None, 0)))(chain, log_p)
    np.testing.assert_allclose(jnp.exp(got.variables), want.smoothed, atol=1e-5)
    np.testing.assert_allclose(got.log_partition, want.filtered.log_evidence.sum(1), rtol=1e-5)


def test_directed_tree_with_evidence():
    """Z is the probability of what is seen."""
    graph = Directed.of(4, [(0, 1), (0, 2), (2, 3)])
    tables = [jnp.asarray(RNG.dirichlet(np.ones(K), (K,) * len(graph.parents(n))), jnp.float32) for n in range(4)]
    factors, potentials = of_directed(graph, tables)
    assert factors.is_tree()
    solved = jax.jit(lambda potentials: sum_product(factors, potentials))
    np.testing.assert_allclose(solved(potentials).log_partition, 0, atol=1e-5)
    seen = jnp.where(jnp.arange(K) == 1, 0, -jnp.inf)
    pinned = tuple(p + seen.reshape(1, 1, K) if p.ndim == 3 else p for p in potentials)
    at = [i for i, row in enumerate(factors.scopes[1]) if row[1] == 3]
    only = jnp.zeros(len(factors.scopes[1])).at[jnp.array(at)].set(1).reshape(-1, 1, 1)
    pinned = (potentials[0], jnp.where(only > 0, pinned[1], potentials[1]))
    got = solved(pinned)
    p = np.asarray(joint(graph, tables))[..., 1]
    np.testing.assert_allclose(np.exp(got.log_partition), p.sum(), rtol=1e-5)
    np.testing.assert_allclose(np.exp(got.variables[0]), p.sum((1, 2)) / p.sum(), atol=1e-5)


def test_loops_are_named():
    assert TREE.is_tree() and not grid(2, 2).is_tree() and grid(1, 5).is_tree()
    with pytest.raises(ValueError, match="loops"):
        sum_product(grid(2, 2), ising.potentials(ising.Ising(1.0, 1.0), jnp.ones((2, 2))))


def test_with_loops_marginals_are_too_sure():
    """The numbers that `belief_propagation` quotes: messages come to rest, and are wrong."""
    y = jnp.zeros((3, 3)).at[0, 0].set(1.0)
    graph, potentials = grid(3, 3), ising.potentials(ising.Ising(1.0, 0.1), y)
    want = marginals(enumerated(graph, potentials))[8, 1]
    alg, batch = jitted(belief_propagation(graph)), {"potentials": jax.tree.map(lambda p: p[None], potentials)}
    state = alg.init(KEY, batch)
    for _ in range(200):
        state, metrics = alg.step(KEY, state, batch)
    got = float(jnp.exp(beliefs(graph, potentials, jax.tree.map(lambda m: m[0], state)).variables[8, 1]))
    assert float(metrics["loss"].value) < 1e-5, "they are at rest"
    quoted = " ".join(belief_propagation.__doc__.split())
    assert f"marginal of the opposite corner is {want:.3f}" in quoted and f"messages say {got:.3f}" in quoted
    assert got - want > 0.1


def test_with_loops_messages_may_circle():
    """A triangle whose pixels repel each other: without damping no rest in 300 steps, with it a fixed point."""
    triangle = FactorGraph(3, 2, (np.arange(3)[:, None], np.array([[0, 1], [1, 2], [0, 2]])))
    sign = np.array([-1.0, 1.0])
    own = np.tile(sign, (3, 1)).astype("f")
    pair = np.tile(-4 * np.outer(sign, sign), (3, 1, 1)).astype("f")
    batch = {"potentials": (own[None], pair[None])}
    losses = {}
    for damping in (0.0, 0.5):
        alg = jitted(belief_propagation(triangle, damping=damping))
        state = alg.init(KEY, batch)
        for _ in range(300):
            state, metrics = alg.step(KEY, state, batch)
        losses[damping] = float(metrics["loss"].value)
    assert f"{losses[0.0]:.2f} after 300 steps" in belief_propagation.__doc__ and losses[0.0] > 0.1
    assert losses[0.5] < 1e-6


def test_score_is_the_product_of_factors():
    log_p = enumerated(TREE, POTENTIALS)
    for states in itertools.islice(np.ndindex(*log_p.shape), 0, None, 97):
        np.testing.assert_allclose(score(TREE, POTENTIALS, jnp.array(states)), log_p[states], rtol=1e-4)


def test_messages_are_distributions():
    for message in passed(TREE, POTENTIALS, start(TREE), semiring="max"):
        np.testing.assert_allclose(jnp.exp(message).sum(-1), 1, rtol=1e-5)
