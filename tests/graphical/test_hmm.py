"""Hidden Markov models: inference against enumeration of all paths, scans against each other, EM against its laws."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from adl.core import jitted, trace
from adl.graphical import hmm, parallel_hmm
from adl.graphical.baum_welch import HMM, baum_welch, log_likelihood
from adl.graphical.hmm import MarkovChain
from adl.prob import exponential_family as ef

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
T, K = 7, 3
PATHS = np.array(list(itertools.product(range(K), repeat=T)))
# Some states are never first, some transitions never happen; far from each other in evidence, and one time unobserved.
INITIAL = np.array([0.7, 0.3, 0.0])
TRANSITION = np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.3, 0.0, 0.7]])
LOG_P = 3 * RNG.normal(size=(T, K))
LOG_P[3] = 0
CHAIN = MarkovChain(jnp.asarray(INITIAL, jnp.float32), jnp.asarray(TRANSITION, jnp.float32))


def enumerated(length: int = T) -> tuple[np.ndarray, np.ndarray]:
    """All paths of the first states, and log p(z, x) of each, in float64."""
    paths = np.unique(PATHS[:, :length], axis=0)
    with np.errstate(divide="ignore"):
        joint = np.log(INITIAL)[paths[:, 0]] + np.log(TRANSITION)[paths[:, :-1], paths[:, 1:]].sum(1)
    return paths, joint + LOG_P[np.arange(length), paths].sum(1)


def marginal(paths: np.ndarray, joint: np.ndarray, at: int) -> np.ndarray:
    p = np.exp(joint - logsumexp(joint))
    return np.array([p[paths[:, at] == k].sum() for k in range(K)])


SMOOTHERS = {
    "sequential": hmm.smooth,
    "blocks": lambda *a: parallel_hmm.smooth(*a, num_blocks=3),
    "tree": lambda *a: parallel_hmm.smooth(*a, num_blocks=T),
}


@pytest.mark.parametrize("name", SMOOTHERS)
def test_marginals_evidence_and_transitions_are_those_of_all_paths(name):
    log_p = jnp.asarray(LOG_P, jnp.float32)
    seen = jax.jit(SMOOTHERS[name])(CHAIN, log_p)
    paths, joint = enumerated()
    np.testing.assert_allclose(seen.smoothed, [marginal(paths, joint, t) for t in range(T)], atol=1e-5)
    np.testing.assert_allclose(seen.filtered.filtered, [marginal(*enumerated(t + 1), t) for t in range(T)], atol=1e-5)
    evidence = np.diff([0, *(logsumexp(enumerated(t + 1)[1]) for t in range(T))])
    np.testing.assert_allclose(seen.filtered.log_evidence, evidence, atol=1e-5)
    p = np.exp(joint - logsumexp(joint))
    pairs = np.zeros((K, K))
    for t in range(T - 1):
        np.add.at(pairs, (paths[:, t], paths[:, t + 1]), p)
    np.testing.assert_allclose(seen.transitions(CHAIN), pairs, atol=1e-5)


@pytest.mark.parametrize("num_blocks", [0, 1, 3, 7])
def test_best_path_is_that_of_all_paths(num_blocks):
    paths, joint = enumerated()
    find = hmm.viterbi if num_blocks == 0 else lambda *a: parallel_hmm.viterbi(*a, num_blocks=num_blocks)
    path, value = jax.jit(find)(CHAIN, jnp.asarray(LOG_P, jnp.float32))
    np.testing.assert_array_equal(path, paths[joint.argmax()])
    np.testing.assert_allclose(value, joint.max(), rtol=1e-5)


def test_scans_agree_on_a_long_sequence():
    """Of which the evidence is far below what float32 holds."""
    rng = np.random.default_rng(1)
    length = 1003
    chain = MarkovChain(jnp.ones(4) / 4, jnp.asarray(rng.dirichlet(0.3 * np.ones(4), 4), jnp.float32))
    log_p = jnp.asarray(5 * rng.normal(size=(length, 4)) - 10, jnp.float32)
    want = jax.jit(hmm.smooth)(chain, log_p)
    assert -np.inf < want.filtered.log_evidence.sum() < -1000
    for num_blocks in (16, 10**9):
        got = jax.jit(lambda *a, n=num_blocks: parallel_hmm.smooth(*a, num_blocks=n))(chain, log_p)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=5e-5, rtol=2e-5), got, want)
    path, value = jax.jit(hmm.viterbi)(chain, log_p)
    other, other_value = jax.jit(lambda *a: parallel_hmm.viterbi(*a, num_blocks=16))(chain, log_p)
    np.testing.assert_array_equal(path, other)
    np.testing.assert_allclose(value, other_value, rtol=1e-5)


def test_gradient_of_the_evidence_is_the_posterior():
    """d log p(x) / d log p(x_t | k) = p(z_t = k | x), Fisher's identity; also through zeros, and in every scan."""
    log_p = jnp.asarray(LOG_P, jnp.float32)
    want = hmm.smooth(CHAIN, log_p).smoothed
    for forward in (hmm.forward, lambda *a: parallel_hmm.forward(*a, num_blocks=3), parallel_hmm.forward):
        got = jax.jit(jax.grad(lambda x, forward=forward: forward(CHAIN, x).log_evidence.sum()))(log_p)
        np.testing.assert_allclose(got, want, atol=1e-5)


def test_the_impossible_has_no_probability():
    log_p = jnp.asarray(LOG_P, jnp.float32).at[2].set(-jnp.inf)
    assert hmm.forward(CHAIN, log_p).log_evidence.sum() == -np.inf
    never = jnp.asarray(LOG_P, jnp.float32).at[0, :2].set(-jnp.inf)  # and the third state is never first
    assert hmm.forward(CHAIN, never).log_evidence[0] == -np.inf


def test_stationary_and_sampled_frequencies_agree():
    transition = jnp.asarray(TRANSITION, jnp.float32)
    p = hmm.stationary(transition)
    np.testing.assert_allclose(p @ transition, p, atol=1e-6)
    states = jax.jit(jax.vmap(lambda key: hmm.sample(key, MarkovChain(p, transition), 50)))(jax.random.split(KEY, 2000))
    counts = np.zeros((K, K))
    np.add.at(counts, (np.asarray(states[:, :-1]).ravel(), np.asarray(states[:, 1:]).ravel()), 1)
    rows = counts.sum(1, keepdims=True)
    np.testing.assert_allclose(counts / rows, TRANSITION, atol=4.5 * np.sqrt(0.25 / rows.min()))
    np.testing.assert_allclose(np.bincount(states[:, 0], minlength=K) / 2000, p, atol=4.5 * np.sqrt(0.25 / 2000))


def test_emissions_are_scipys():
    x = RNG.normal(size=(5, 2))
    members = [(RNG.normal(size=2), np.cov(RNG.normal(size=(2, 9)))) for _ in range(2)]
    family = ef.multivariate_normal(2)
    eta = jnp.stack(
        [family.natural(family.distribution(family.start)._replace(loc=m, covariance=c)) for m, c in members]
    ).astype(jnp.float32)
    want = np.stack([stats.multivariate_normal(m, c).logpdf(x) for m, c in members], 1)
    got = log_likelihood(family, eta, jnp.asarray(x, jnp.float32), jnp.array([1, 1, 0, 1, 1]))
    np.testing.assert_allclose(got, want * np.array([1, 1, 0, 1, 1])[:, None], atol=1e-4)


SEQUENCES = {
    "categorical": (ef.categorical(4), RNG.integers(0, 4, size=(6, 30)) * (np.arange(30) // 10 % 2)),
    "normal": (ef.normal(), (RNG.normal(size=(6, 30)) + 3 * (np.arange(30) // 10 % 2)).astype("f")),
    "multivariate_normal": (
        ef.multivariate_normal(2),
        (RNG.normal(size=(6, 30, 2)) + 3 * (np.arange(30) // 10 % 2)[:, None]).astype("f"),
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_likelihood_never_falls(name):
    family, x = SEQUENCES[name]
    mask = (RNG.random((6, 30)) < 0.9).astype("f")
    alg, batch = baum_welch(3, family), {"x": x, "mask": mask}

    def likelihood_of(model):
        def one(x, mask):
            return hmm.forward(model.chain, log_likelihood(family, model.emission, x, mask)).log_evidence.sum()

        return jax.vmap(one)(x, mask).sum()

    model, likelihood = jax.jit(trace(alg, 30, likelihood_of))(KEY, alg.init(KEY, batch), batch)
    # The prior of a thousandth of an observation may take that much back.
    assert np.diff(likelihood).min() > -5e-3 and likelihood[-1] > likelihood[0] + 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(model))
    np.testing.assert_allclose(model.chain.transition.sum(1), 1, rtol=1e-5)


def test_states_that_are_seen_are_counted():
    """Where each state says only its own name, one step finds the frequencies, in closed form."""
    x = np.array([[0, 0, 1, 2, 2, 2, 0, 1], [1, 1, 0, 0, 2, 1, 0, 0]])
    family = ef.categorical(3)
    start = HMM(MarkovChain(jnp.full(3, 1 / 3), jnp.full((3, 3), 1 / 3)), 40 * jnp.eye(3))
    alg = baum_welch(3, family, start=lambda key, batch: start, prior_count=1e-6)
    model, metrics = jitted(alg).step(KEY, jax.tree.map(jnp.copy, start), {"x": x})
    counts = np.zeros((3, 3))
    np.add.at(counts, (x[:, :-1].ravel(), x[:, 1:].ravel()), 1)
    np.testing.assert_allclose(model.chain.transition, counts / counts.sum(1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(model.chain.initial, [0.5, 0.5, 0], atol=1e-5)
    np.testing.assert_allclose(jax.nn.softmax(model.emission), np.eye(3), atol=1e-5)
    np.testing.assert_allclose(metrics["loss"].value, np.log(3), rtol=1e-5)


def test_what_is_padded_changes_nothing():
    family, x = SEQUENCES["normal"]
    start = baum_welch(2, family).init(KEY, {"x": x})
    alg = baum_welch(2, family, start=lambda key, batch: start)
    padded = {
        "x": np.concatenate([np.pad(x, ((0, 0), (0, 9)), constant_values=np.nan), np.zeros((3, 39), "f")]),
        "mask": np.pad(np.ones((6, 30), "f"), ((0, 3), (0, 9))),
    }
    got, want = (jax.jit(alg.step)(KEY, start, batch) for batch in (padded, {"x": x}))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), got[0], want[0])
    np.testing.assert_allclose(got[1]["loss"].value, want[1]["loss"].value, rtol=1e-5)


def test_one_state_is_one_distribution():
    """Without a choice of states, a step is maximum likelihood."""
    family, x = SEQUENCES["normal"]
    alg = jitted(baum_welch(1, family, prior_count=1e-6))
    model, _ = alg.step(KEY, alg.init(KEY, {"x": x}), {"x": x})
    d = family.distribution(model.emission[0])
    np.testing.assert_allclose([d.loc, d.scale], [x.mean(), x.std()], rtol=1e-4)


def test_blocks_learn_the_same():
    family, x = SEQUENCES["categorical"]
    smoothers = hmm.smooth, lambda *a: parallel_hmm.smooth(*a, num_blocks=4)
    algs = [jitted(baum_welch(3, family, smoother=smoother)) for smoother in smoothers]
    got, want = (alg.step(KEY, alg.init(KEY, {"x": x}), {"x": x})[0] for alg in algs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), got, want)
