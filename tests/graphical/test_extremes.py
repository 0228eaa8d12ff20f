"""Inference on long sequences, at high levels of evidence, under priors that say nothing, on graphs that go round."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import trace
from adl.core.summation import total, two_sum
from adl.graphical import hmm, kalman, parallel_hmm
from adl.graphical.directed import Directed, d_separated
from adl.graphical.factor_graph import FactorGraph, max_product, sum_product
from adl.graphical.hmm import MarkovChain
from adl.graphical.ising import Ising, energy
from adl.graphical.kalman import LDS
from adl.graphical.lds_em import lds_em
from adl.graphical.minimum_cut import minimum_cut
from adl.prob.gaussian import LinearGaussian, MultivariateNormal

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
VITERBIS = {"sequential": hmm.viterbi, "blocks": lambda *a: parallel_hmm.viterbi(*a, num_blocks=64)}


def sticky(length: int, level: float) -> tuple[MarkovChain, jnp.ndarray]:
    chain = MarkovChain(jnp.full(2, 0.5), jnp.array([[0.95, 0.05], [0.05, 0.95]]))
    return chain, jnp.asarray(RNG.normal(size=(length, 2)) + level, jnp.float32)


def viterbi(chain, log_p) -> tuple[np.ndarray, float]:
    """In float64."""
    initial, move, log_p = (np.asarray(x, float) for x in (np.log(chain.initial), np.log(chain.transition), log_p))
    best, before = initial + log_p[0], []
    for row in log_p[1:]:
        reached = best[:, None] + move
        before.append(reached.argmax(0))
        best = reached.max(0) + row
    path = [best.argmax()]
    for pointers in before[::-1]:
        path.append(pointers[path[-1]])
    return np.array(path[::-1]), best.max()


@pytest.mark.parametrize("length, level", [(2000, -1e4), (100_000, -20.0), (2000, 1e6)])
@pytest.mark.parametrize("name", VITERBIS)
def test_the_best_path_is_found_at_any_length_and_level(name, length, level):
    chain, log_p = sticky(length, level)
    want, value = viterbi(chain, log_p)
    path, log_joint = jax.jit(VITERBIS[name])(chain, log_p)
    np.testing.assert_array_equal(path, want)
    assert abs(log_joint - value) <= np.spacing(np.float32(abs(value)))


def test_long_smoothing_is_that_of_float64():
    chain, log_p = sticky(20_000, -1e4)
    with jax.enable_x64(True):
        double = jax.tree.map(lambda x: np.asarray(x, np.float64), (chain, log_p))
        want = jax.device_get(jax.jit(hmm.smooth)(*double))
    for smooth in (hmm.smooth, parallel_hmm.smooth):
        got = jax.jit(smooth)(chain, log_p)
        np.testing.assert_allclose(got.smoothed, want.smoothed, atol=1e-4)
        np.testing.assert_allclose(got.filtered.filtered, want.filtered.filtered, atol=1e-5)
        evidence = want.filtered.log_evidence.sum()
        assert abs(total(got.filtered.log_evidence) - evidence) < 1e-6 * abs(evidence)


def test_sums_are_those_of_double_precision():
    for x in (RNG.normal(size=100_000) - 20, 10.0 ** RNG.integers(-6, 6, 999), np.ones(1)):
        single = x.astype("f")
        assert jax.jit(total)(single) == np.float32(single.astype(float).sum())
    assert total(jnp.zeros((0, 2))).tolist() == [0, 0] and total(jnp.array([1.0, -jnp.inf])) == -np.inf
    value, lost = two_sum(jnp.float32(1e8), jnp.float32(1.0))
    assert value == 1e8 and lost == 1
    np.testing.assert_array_equal(jax.grad(lambda x: total(x))(jnp.arange(5.0)), np.ones(5))


def walk(prior: float) -> LDS:
    """In one dimension, with process noise of variance 0.01 and measurement noise 1."""
    one = jnp.eye(1)
    return LDS(
        MultivariateNormal(jnp.zeros(1), prior * one),
        LinearGaussian(one, jnp.zeros(1), 0.01 * one),
        LinearGaussian(one, jnp.zeros(1), one),
    )


@pytest.mark.parametrize("prior", [1e4, 1e7, 1e8, 1e12])
def test_a_prior_that_says_nothing_leaves_what_was_seen(prior):
    x = jnp.array([[3.0], [3.5]])
    seen = kalman.forward(walk(prior), x)
    np.testing.assert_allclose(seen.filtered.covariance[0], 1.0, rtol=2e-4)
    np.testing.assert_allclose(seen.filtered.loc[0], 3.0, rtol=1e-3)
    np.testing.assert_allclose(
        seen.log_evidence[0], -0.5 * np.log(2 * np.pi * (prior + 1)) - 4.5 / (prior + 1), rtol=1e-5
    )


@pytest.mark.parametrize("prior", [1e4, 1e8])
def test_a_line_is_regressed_under_a_prior_that_says_nothing(prior):
    """Position and a constant slope: smoothing is least squares, in closed form."""
    line = LDS(
        MultivariateNormal(jnp.zeros(2), prior * jnp.eye(2)),
        LinearGaussian(jnp.array([[1.0, 1.0], [0.0, 1.0]]), jnp.zeros(2), jnp.zeros((2, 2))),
        LinearGaussian(jnp.array([[1.0, 0.0]]), jnp.zeros(1), jnp.eye(1)),
    )
    time = np.arange(12.0)
    x = 2 - 0.5 * time + RNG.normal(size=12)
    seen = kalman.smooth(line, jnp.asarray(x[:, None], jnp.float32))
    design = np.stack([np.ones(12), time], 1)
    spread = np.linalg.inv(design.T @ design + np.eye(2) / prior)
    np.testing.assert_allclose(seen.smoothed.covariance[0], spread, rtol=2e-3)
    np.testing.assert_allclose(seen.smoothed.covariance[:, 1, 1], spread[1, 1], rtol=2e-3)
    np.testing.assert_allclose(seen.smoothed.loc[0], spread @ design.T @ x, rtol=2e-3)
    np.testing.assert_allclose(seen.noise, 0, atol=2e-3)
    assert (np.linalg.eigvalsh(np.asarray(seen.smoothed.covariance, float)) > 0).all()


def test_an_autoregression_of_order_two_is_drawn_and_seen():
    """Whose noise has no variance along the second coordinate."""
    system = LDS(
        MultivariateNormal(jnp.zeros(2), jnp.eye(2)),
        LinearGaussian(jnp.array([[1.2, -0.5], [1.0, 0.0]]), jnp.zeros(2), jnp.diag(jnp.array([1.0, 0.0]))),
        LinearGaussian(jnp.array([[1.0, 0.0]]), jnp.zeros(1), 0.1 * jnp.eye(1)),
    )
    z, x = kalman.sample(KEY, system, 50)
    np.testing.assert_array_equal(z[1:, 1], z[:-1, 0])
    seen = kalman.smooth(system, x)
    np.testing.assert_allclose(seen.smoothed.loc[1:, 1], seen.smoothed.loc[:-1, 0], atol=1e-4)
    assert np.isfinite(seen.filtered.log_evidence).all()


@pytest.mark.parametrize("place", [0.0, 1e3, 1e4])
@pytest.mark.parametrize("prior", [1.0, 1e8])
def test_em_is_the_same_far_from_the_origin_and_under_wide_priors(place, prior):
    """Everything is learned but the emission; what was measured is rounded to 1e-3 at 1e4."""

    def start(place, prior):
        system = walk(prior)
        return system._replace(initial=MultivariateNormal(jnp.full(1, place, float), prior * jnp.eye(1)))

    steps = np.cumsum(np.random.default_rng(1).normal(size=(4, 60, 1)), 1)
    alg = lds_em(lambda key, batch: None, learn=("dynamics_noise", "emission_noise"))

    def learned(place, prior):
        batch = {"x": jnp.asarray(place + steps, jnp.float32)}
        return jax.jit(trace(alg, 20, lambda s: s.dynamics.covariance[0, 0]))(KEY, start(place, prior), batch)

    system, path = learned(place, prior)
    near, _ = learned(0.0, 1e3 if prior > 1 else 1.0)
    assert (path > 0).all()
    for part in ("dynamics", "emission"):
        np.testing.assert_allclose(getattr(system, part).covariance, getattr(near, part).covariance, rtol=0.02)


def test_em_that_starts_far_off_keeps_its_covariances_positive():
    far = walk(1.0)._replace(emission=LinearGaussian(jnp.eye(1), jnp.full(1, 1e4), jnp.eye(1)))
    x = jnp.asarray(0.01 * RNG.normal(size=(2, 40, 1)), jnp.float32)
    alg = lds_em(lambda key, batch: far, learn=("initial", "dynamics_noise", "emission", "emission_noise"))
    _, path = jax.jit(trace(alg, 10, lambda s: (s.emission.covariance, s.dynamics.covariance)))(KEY, far, {"x": x})
    assert all((np.asarray(leaf) > 0).all() for leaf in path)


def test_a_long_chain_of_strong_factors_is_solved():
    """300 variables, potentials of a level of 1e4 each: the best states and log Z are those of the scans."""
    length, (chain, log_p) = 300, sticky(300, 0.0)
    move = jnp.log(chain.transition)
    graph = FactorGraph(
        length, 2, (np.arange(length)[:, None], np.stack([np.arange(length - 1), np.arange(1, length)], 1))
    )
    own = log_p.at[0].add(jnp.log(chain.initial))
    potentials = jnp.round(own * 64) / 64 - 1e4, jnp.broadcast_to(move[None], (length - 1, 2, 2))
    exact = potentials[0] + 1e4
    found = jax.jit(lambda p: sum_product(graph, p, num_steps=2 * length))(potentials)
    seen = hmm.smooth(MarkovChain(jnp.ones(2) / 1, chain.transition), exact)
    np.testing.assert_allclose(np.exp(found.variables), seen.smoothed, atol=1e-4)
    np.testing.assert_allclose(found.log_partition, total(seen.filtered.log_evidence) - 3e6, atol=0.3)
    states, score = jax.jit(lambda p: max_product(graph, p, num_steps=2 * length))(potentials)
    path, value = hmm.viterbi(MarkovChain(jnp.ones(2), chain.transition), exact)
    np.testing.assert_array_equal(states, path)
    np.testing.assert_allclose(score, value - 3e6, atol=0.3)


def test_beside_a_strong_opinion_the_weak_ones_count():
    """One factor excludes a state by 1e6 nats, and another says so little of the others: no difference loses it."""
    graph = FactorGraph(2, 3, (np.array([[0], [0], [1]]), np.array([[0, 1]])))
    own = jnp.array([[-1e6, 0.0, 0.0], [0.0, 0.1, 0.2], [0.0, 0.0, 0.0]])
    alike = jnp.where(jnp.eye(3) > 0, 0.0, -2.0)[None]
    p = np.exp([0.1, 0.2])
    want = (p[:, None] * np.exp(np.asarray(alike[0, 1:], float))).sum(0)
    np.testing.assert_allclose(np.exp(sum_product(graph, (own, alike)).variables[1]), want / want.sum(), rtol=1e-5)


def test_graphs_with_more_walks_than_integers_are_still_seen_to_go_round():
    ring = [(8 * a + i, 8 * ((a + 1) % 3) + j) for a in range(3) for i in range(8) for j in range(8)]
    with pytest.raises(ValueError, match="cycle"):
        Directed.of(24, ring)
    layers = Directed.of(24, [edge for edge in ring if edge[0] < 16])
    assert d_separated(layers, [0], [16], range(8, 16)) and not d_separated(layers, [0], [16])
    with pytest.raises(ValueError, match="cycle"):
        Directed.of(2, [(1, 1)])


def test_nodes_that_are_none_and_sets_that_overlap_are_refused():
    with pytest.raises(ValueError, match=r"-1.*none of 0 ... 2"):
        Directed.of(3, [(0, -1)])
    graph = Directed.of(3, [(0, 1), (1, 2)])
    with pytest.raises(ValueError, match="none of"):
        d_separated(graph, [0], [3])
    with pytest.raises(ValueError, match="overlap"):
        d_separated(graph, [0], [2], [0])


@pytest.mark.parametrize("beta, eta", [(1e-15, 1.3e-15), (1e15, 2e15), (1e-9, 1.0), (0.0, 1.0), (0.7, 0.4)])
def test_the_least_cut_is_least_at_any_scale(beta, eta):
    image = np.where(RNG.random((2, 3, 3)) < 0.5, -1.0, 1.0)
    unit = max(beta, eta)
    model = Ising(beta / unit, eta / unit)
    every = np.array(list(itertools.product((-1.0, 1.0), repeat=9))).reshape(-1, 3, 3)
    for found, y in zip(minimum_cut(image, beta=beta, eta=eta), image, strict=True):
        least = jax.vmap(lambda x, y=y: energy(model, x, y))(every).min()
        np.testing.assert_allclose(energy(model, found, y), least, rtol=1e-5)
    with pytest.raises(ValueError, match="finite"):
        minimum_cut(image, beta=-1.0, eta=1.0)


def test_rarely_left_states_are_stationary_by_how_rarely():
    rare = jnp.array([[1.0 - 1e-8, 1e-8], [3e-8, 1.0 - 3e-8]])
    np.testing.assert_allclose(hmm.stationary(rare), [0.75, 0.25], rtol=1e-5)
